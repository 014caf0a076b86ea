// Package bus reads what the two buses, NATS and Redis, hold and who listens.
package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Stored is an event as the HEALTH stream holds it.
type Stored struct {
	Sequence uint64
	StoredAt time.Time
	Payload  []byte
}

// State is the latest of each kind that the HEALTH stream holds; nil for a kind
// that it does not.
type State struct {
	// LastSequence of the stream when it was asked first.
	LastSequence uint64
	// ServerTime and RoundTrip of that first question.
	ServerTime time.Time
	RoundTrip  time.Duration

	Health, Started, Stopped *Stored
}

// Latest asks the HEALTH stream for its newest events.
func Latest(ctx context.Context, js jetstream.JetStream) (State, error) {
	asked := time.Now()
	health, err := js.Stream(ctx, stream.Health)
	if err != nil {
		return State{}, fmt.Errorf("look up stream %s: %w", stream.Health, err)
	}
	info := health.CachedInfo()
	state := State{LastSequence: info.State.LastSeq, ServerTime: info.TimeStamp, RoundTrip: time.Since(asked)}
	for subject, place := range map[string]**Stored{
		stream.HealthStatus: &state.Health, stream.SessionStarted: &state.Started, stream.SessionStopped: &state.Stopped,
	} {
		msg, err := health.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return State{}, fmt.Errorf("read the last %s: %w", subject, err)
		}
		*place = &Stored{Sequence: msg.Sequence, StoredAt: msg.Time, Payload: msg.Data}
	}
	return state, nil
}

// Active is whether a session runs: it was started, and not stopped since.
func (s State) Active() bool {
	return s.Started != nil && (s.Stopped == nil || s.Stopped.Sequence < s.Started.Sequence)
}

// Session is the event that tells of the session as it is now: its start while
// it runs, else its end; nil if there never was one.
func (s State) Session() *Stored {
	if s.Active() {
		return s.Started
	}
	return s.Stopped
}

// HealthEvent is the latest health event; false if there is none that can be
// read.
func (s State) HealthEvent() (event.StreamingHealth, bool) {
	var health event.StreamingHealth
	if s.Health == nil || json.Unmarshal(s.Health.Payload, &health) != nil {
		return event.StreamingHealth{}, false
	}
	return health, true
}
