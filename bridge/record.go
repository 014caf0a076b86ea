package bridge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/bridge/spool"
)

// The kinds of record in the spool.
const (
	tickRecord spool.Kind = iota
	otherRecord
)

// spooled is a message as the spool keeps it: what is not the payload as JSON
// and a line feed before it, so that a person can read a spool.
type spooled struct {
	ID         string  `json:"id"`
	ReceivedAt int64   `json:"at"` // Unix ns
	Reason     string  `json:"reason,omitempty"`
	Detail     string  `json:"detail,omitempty"`
	WholeSize  int     `json:"size,omitempty"`
	Watermark  int64   `json:"watermark,omitempty"` // Unix ns
	Gap        *missed `json:"gap,omitempty"`
}

func (a *alignment) encode(m *message) (spool.Record, error) {
	s := spooled{
		ID: a.id(m.at), ReceivedAt: m.receivedAt.UnixNano(),
		Reason: m.reason, Detail: m.detail, WholeSize: m.wholeSize, Gap: m.gap,
	}
	if m.isMark() {
		s.Watermark = m.watermark.UnixNano()
	}
	head, err := json.Marshal(s)
	if err != nil {
		return spool.Record{}, fmt.Errorf("encode a message for the spool: %w", err)
	}
	r := spool.Record{Kind: otherRecord, Data: append(append(head, '\n'), m.payload...)}
	if m.isTick() {
		r.Kind = tickRecord
	}
	return r, nil
}

// reasonUnreadable: a record of the spool that was not written by this version.
const reasonUnreadable = "spool_unreadable"

// decode is the message of a record. What is none of ours comes out as refused.
func (a *alignment) decode(r spool.Record) message {
	head, payload, ok := cutLine(r.Data)
	var s spooled
	if !ok || json.Unmarshal(head, &s) != nil {
		return message{
			payload: string(r.Data), receivedAt: time.Now(),
			reason: reasonUnreadable, detail: "a record of the spool that this version does not read",
		}
	}
	m := message{
		payload: string(payload), receivedAt: time.Unix(0, s.ReceivedAt),
		reason: s.Reason, detail: s.Detail, wholeSize: s.WholeSize, gap: s.Gap,
	}
	m.at = a.locate(s.ID)
	if s.Watermark != 0 {
		m.watermark = time.Unix(0, s.Watermark)
	}
	return m
}

// restore notes the beats of a record of an earlier life.
func (a *alignment) restore(r spool.Record) {
	// Millions of them may wait, and of each only this much matters.
	if rest, ok := bytes.CutPrefix(r.Data, []byte(`{"id":"`)); ok {
		id, _, _ := bytes.Cut(rest, []byte(`"`))
		a.restored(string(id))
	}
}

func cutLine(data []byte) (line, rest []byte, ok bool) {
	for i, c := range data {
		if c == '\n' {
			return data[:i], data[i+1:], true
		}
	}
	return nil, data, false
}
