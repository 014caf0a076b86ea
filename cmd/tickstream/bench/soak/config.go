// Package soak runs the whole of tickstream under load while it breaks one part
// after the other, and then checks every tick, bar, signal and row.
package soak

import (
	"errors"
	"fmt"
	"time"
)

// Config of a [Soak].
type Config struct {
	// Binary is tickstream's own. Required.
	Binary string
	// Dir is an empty folder for data and logs. Required.
	Dir string
	// RedisURL and DatabaseURL are servers that run. Without the first the soak
	// runs a Redis of its own; without the second there is no database.
	RedisURL, DatabaseURL string
	// Symbols that tick. Required.
	Symbols []string
	// Seed of the ticks and of the schedule of faults.
	Seed uint64
	// Rate of the ticks a second.
	Rate float64
	// Faults, Ticks and Duration are how much there is at least of each.
	Faults   int
	Ticks    int64
	Duration time.Duration
	// MaxHold bounds how long a stall, a cut or an absence lasts.
	MaxHold time.Duration
	// LongStall is how long the leading bridge is stalled once; 0 for never.
	LongStall time.Duration
	// Only keeps to the fault kinds that hold this text; empty for all.
	Only string
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	var errs []error
	if c.Rate < 10 || c.Rate > 100_000 {
		errs = append(errs, fmt.Errorf("rate is %v: give 10 to 100000 ticks a second", c.Rate))
	}
	if c.Faults < 0 || c.Ticks < 0 || c.Duration < 0 {
		errs = append(errs, errors.New("faults, ticks and duration: give nothing negative"))
	}
	if len(c.kinds()) == 0 {
		errs = append(errs, fmt.Errorf("only is %q: give a part of a fault's name as the table has it", c.Only))
	}
	return errors.Join(errs...)
}

const (
	pipelines = 2
	// settleTimeout is how long the system may take to be whole after a fault,
	// and to work through all at the end.
	settleTimeout = 2 * time.Minute
	// stopTimeout is how long a process may take to stop cleanly.
	stopTimeout = 45 * time.Second
	// restLow and restHigh bound how long all is well before the next fault.
	restLow, restHigh = 100 * time.Millisecond, 600 * time.Millisecond
	// history is how far back the ticks go that are published before the first
	// fault, so that indicators have bars to work on.
	history = 50 * time.Minute
)
