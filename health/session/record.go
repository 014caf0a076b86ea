package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/tickstock/tickstream/pipeline/event"
)

// ErrInvalid comes from [DecodeRecord], and so from [Store.Load], for bytes
// that are no session record. A leader writes over them.
var ErrInvalid = errors.New("not a session record")

const statusActive = "active"

// Record is the current session, or the last one, as both buses store it. The
// zero Record says that there has been none.
type Record struct {
	event.Session
	// MarketDate is the New York date (YYYY-MM-DD) that the session belongs to.
	MarketDate string `json:"market_date"`
	// UpdatedAt grows with each change: of two records the later one holds.
	UpdatedAt event.Time `json:"updated_at"`
	// End is how the session ended; nil while it runs.
	End *event.SessionEnd `json:"end,omitempty"`
	// Previous is how the session before this one ended, if there was one.
	Previous *event.SessionEnd `json:"previous,omitempty"`
}

// IsZero tells that there has been no session.
func (r Record) IsZero() bool { return r.SessionID == "" }

// Active tells that the session runs.
func (r Record) Active() bool { return r.SessionID != "" && r.End == nil }

// Same tells that both are the same session in the same state.
func (r Record) Same(other Record) bool {
	return r.SessionID == other.SessionID && r.UpdatedAt.Equal(other.UpdatedAt.Time)
}

// Newer tells that r holds where other is stored too. The session id decides a
// tie, so that everybody chooses alike.
func (r Record) Newer(other Record) bool {
	if r.IsZero() || other.IsZero() {
		return !r.IsZero()
	}
	if c := r.UpdatedAt.Compare(other.UpdatedAt.Time); c != 0 {
		return c > 0
	}
	return r.SessionID > other.SessionID
}

// MaxRecord is the longest stored record that is read, in bytes.
const MaxRecord = 64 << 10

// DecodeRecord reads a stored record; what is none is [ErrInvalid].
func DecodeRecord(data []byte) (Record, error) {
	if len(data) > MaxRecord {
		return Record{}, fmt.Errorf("%w: %d bytes, at most %d", ErrInvalid, len(data), MaxRecord)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := r.validate(); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return r, nil
}

func (r Record) validate() error {
	if err := uuid.Validate(r.SessionID); err != nil {
		return fmt.Errorf("session id: %w", err)
	}
	if _, err := time.Parse(time.DateOnly, r.MarketDate); err != nil {
		return fmt.Errorf("market date: %w", err)
	}
	switch {
	case r.StartedAt.IsZero():
		return errors.New("no start")
	case r.UpdatedAt.IsZero():
		return errors.New("no time of update")
	case r.End != nil && r.End.SessionID != r.SessionID:
		return errors.New("the end is of another session")
	}
	return nil
}
