package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// markTime reads a clock mark; ok is false where payload is none.
func markTime(payload []byte) (at time.Time, ok bool) {
	var mark event.ClockMark
	if json.Unmarshal(payload, &mark) != nil || mark.Time.IsZero() {
		return time.Time{}, false
	}
	return mark.Time.Time, true
}

// completeness is the event time up to which all partitions of a stream are
// complete: the least of their last marks. It is what is true of each partition
// of another stream, which has symbols of all of them.
type completeness struct {
	marks []time.Time // by partition; zero before the first
	last  time.Time   // that was returned by rise
}

func newCompleteness(partitions int) *completeness {
	return &completeness{marks: make([]time.Time, partitions)}
}

// take notes a mark; false for a partition that is none.
func (c *completeness) take(partition int, at time.Time) bool {
	if partition >= len(c.marks) {
		return false
	}
	if at.After(c.marks[partition]) {
		c.marks[partition] = at
	}
	return true
}

// rise returns the least mark if it has risen since it was returned last.
func (c *completeness) rise() (time.Time, bool) {
	least := c.marks[0]
	for _, at := range c.marks[1:] {
		if at.Before(least) {
			least = at
		}
	}
	if !least.After(c.last) {
		return time.Time{}, false // as where a partition has none yet
	}
	c.last = least
	return least, true
}

// readBefore takes the last mark of each partition before a sequence of TICKS.
func (c *completeness) readBefore(ctx context.Context, js jetstream.JetStream, sequence uint64) error {
	if sequence <= 1 {
		return nil
	}
	marks, err := jetstreamext.GetLastMsgsFor(ctx, js, stream.Ticks, []string{stream.AllClockMarks}, jetstreamext.GetLastMsgsUpToSeq(sequence-1))
	if err != nil {
		return fmt.Errorf("read the clock marks before message %d: %w", sequence, err)
	}
	for msg, err := range marks {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the clock marks before message %d: %w", sequence, err)
		}
		partition, isMark := stream.ParseClockMark(msg.Subject)
		if at, ok := markTime(msg.Data); isMark && ok {
			c.take(partition, at)
		}
	}
	return nil
}
