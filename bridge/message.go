package bridge

import (
	"strings"
	"time"
)

// message is one thing read from the source, in the source's order: a tick as
// it came, a clock mark, or a gap.
type message struct {
	payload    string
	receivedAt time.Time
	// at is where in a channel's course it was heard.
	at position
	// entryID is the Redis stream entry's id; empty from a channel.
	entryID string
	// redelivered entries may be in JetStream already, from an earlier life.
	redelivered bool
	// reason and detail are why the source itself could not make a tick of it;
	// wholeSize is that of a payload of which only the beginning is kept.
	reason, detail string
	wholeSize      int
	// watermark is set on a clock mark and nowhere else.
	watermark time.Time
	// gap is set where messages were missed, and nowhere else.
	gap *missed
}

// missed is a time in which the source was not listened to.
type missed struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"`
}

func (m *message) isMark() bool { return !m.watermark.IsZero() }

// isTick tells whether it is input, sound or not.
func (m *message) isTick() bool { return m.watermark.IsZero() && m.gap == nil }

// overhead is what a message costs in memory beside its payload.
const overhead = 160

func (m *message) size() int64 { return int64(len(m.payload) + overhead) }

// cut keeps only the beginning of a payload that is refused.
func (m *message) cut() {
	if len(m.payload) > maxRejectBytes {
		m.wholeSize = len(m.payload)
		// A part of a string would hold on to the whole.
		m.payload = strings.Clone(m.payload[:maxRejectBytes])
	}
}
