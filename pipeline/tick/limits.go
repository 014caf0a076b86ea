package tick

import (
	"errors"
	"fmt"
	"time"
)

const (
	defaultPayloadBytes = 64 << 10
	defaultSymbolBytes  = 64
	defaultFuture       = time.Minute

	leastPayloadBytes = 64
	mostPayloadBytes  = 64 << 20 // the NATS server's own ceiling
	mostSymbolBytes   = 1024     // escaped threefold it still fits NATS's protocol line of 4,096
	mostFuture        = 24 * time.Hour
)

// defaultEarliest is older than any feed that AppV2 has.
func defaultEarliest() time.Time { return time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC) }

// Limits bound what counts as a tick.
type Limits struct {
	// MaxPayloadBytes is the longest payload, 64 B to 64 MiB. Defaults to
	// 64 KiB.
	MaxPayloadBytes int
	// MaxSymbolBytes is the longest symbol in bytes of UTF-8, up to 1,024.
	// Defaults to 64.
	MaxSymbolBytes int
	// MaxFuture is how far a tick may be ahead of the clock, up to 24 h.
	// Defaults to 1 min.
	MaxFuture time.Duration
	// Earliest is the oldest event time. It cannot be before 1973-03-03
	// 09:46:40 UTC: from there on seconds, milliseconds, microseconds and
	// nanoseconds can be told apart by their magnitude. Defaults to 2000-01-01
	// UTC.
	Earliest time.Time
}

func (l Limits) withDefaults() Limits {
	if l.MaxPayloadBytes == 0 {
		l.MaxPayloadBytes = defaultPayloadBytes
	}
	if l.MaxSymbolBytes == 0 {
		l.MaxSymbolBytes = defaultSymbolBytes
	}
	if l.MaxFuture == 0 {
		l.MaxFuture = defaultFuture
	}
	if l.Earliest.IsZero() {
		l.Earliest = defaultEarliest()
	}
	return l
}

// PayloadLimit is MaxPayloadBytes, or its default.
func (l Limits) PayloadLimit() int { return l.withDefaults().MaxPayloadBytes }

// Validate says which limit is unusable and what to give instead; a limit of
// zero stands for its default.
func (l Limits) Validate() error {
	l = l.withDefaults()
	var errs []error
	if l.MaxPayloadBytes < leastPayloadBytes || l.MaxPayloadBytes > mostPayloadBytes {
		errs = append(errs, fmt.Errorf("max payload bytes is %d: give %d to %d", l.MaxPayloadBytes, leastPayloadBytes, mostPayloadBytes))
	}
	if l.MaxSymbolBytes < 1 || l.MaxSymbolBytes > mostSymbolBytes {
		errs = append(errs, fmt.Errorf("max symbol bytes is %d: give 1 to %d", l.MaxSymbolBytes, mostSymbolBytes))
	}
	if l.MaxFuture < 0 || l.MaxFuture > mostFuture {
		errs = append(errs, fmt.Errorf("max future is %v: give up to %v", l.MaxFuture, mostFuture))
	}
	if first, last := time.Unix(firstSecond, 0).UTC(), time.Unix(lastSecond, 0).UTC(); l.Earliest.Before(first) || l.Earliest.After(last) {
		errs = append(errs, fmt.Errorf("earliest is %s: give %s to %s",
			l.Earliest.UTC().Format(time.RFC3339), first.Format(time.RFC3339), last.Format(time.RFC3339)))
	}
	return errors.Join(errs...)
}
