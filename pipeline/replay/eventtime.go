package replay

import (
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/tick"
)

// Clock reads the event time of a payload.
type Clock struct {
	decoder *tick.Decoder
}

// NewClock makes a clock for whatever a bridge may have accepted.
func NewClock() (*Clock, error) {
	decoder, err := tick.NewDecoder(tick.Limits{MaxPayloadBytes: 64 << 20, MaxSymbolBytes: 1024, MaxFuture: 24 * time.Hour})
	if err != nil {
		return nil, fmt.Errorf("make tick decoder: %w", err)
	}
	return &Clock{decoder}, nil
}

// EventTime is the event time of payload, received at that moment; false if it
// is no tick.
func (c *Clock) EventTime(payload []byte, received time.Time) (time.Time, bool) {
	var t tick.Tick
	if c.decoder.Decode(payload, received, &t) != nil {
		return time.Time{}, false
	}
	return time.Unix(0, t.UnixNanos).UTC(), true
}
