package bridge

import "time"

// message is one thing read from the source, in the source's order: a tick as
// it came, or a clock mark.
type message struct {
	payload    string
	receivedAt time.Time
	// entryID is the Redis stream entry's id; empty from a channel.
	entryID string
	// redelivered entries may be in JetStream already, from an earlier life.
	redelivered bool
	// refused is why the source itself could not make a payload of it.
	refused string
	// watermark is set on a clock mark and nowhere else.
	watermark time.Time
}

func (m *message) isMark() bool { return !m.watermark.IsZero() }

// overhead is what a message costs in memory beside its payload.
const overhead = 128

func (m *message) size() int64 { return int64(len(m.payload) + overhead) }
