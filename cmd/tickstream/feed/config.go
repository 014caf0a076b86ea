// Package feed publishes ticks to Redis as AppV2 does: made up, or recorded.
package feed

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
)

// Shape is one of AppV2's two tick shapes.
type Shape string

// The shapes.
const (
	// Market is the tick of the channel tickstock:market:ticks.
	Market Shape = "market"
	// Raw is the per-second aggregate of the channel tickstock.data.raw.
	Raw Shape = "raw"
)

// Config of a [Feed].
type Config struct {
	// Symbols that tick, all of them within the first len(Symbols)/Rate
	// seconds. Required unless From is set.
	Symbols []string
	// Rate in ticks a second. Defaults to 60.
	Rate float64
	// Seed of the prices: the same one gives the same ticks but for their
	// times. Defaults to 1.
	Seed uint64
	// Shape of the ticks. Defaults to Market.
	Shape Shape
	// Channel to publish on. Defaults to AppV2's for the shape.
	Channel string
	// Source that ticks name. Defaults to "simulated".
	Source string

	// Malformed, Late, Duplicate and OutOfOrder are shares of the ticks, from 0
	// to 1. Together at most 1, where the last two count twice: each needs
	// another tick to follow. Default to 0.
	Malformed, Late, Duplicate, OutOfOrder float64
	// ClockOff is by how much the feed's clock is ahead, as that of a host which
	// nobody sets; it is behind where this is negative. Defaults to 0.
	ClockOff time.Duration
	// LateBy is how old a late tick is at most. Defaults to 2 min.
	LateBy time.Duration

	// From holds recorded ticks, one a line, that are published instead as
	// they are. Defaults to none.
	From io.Reader
	// Speed divides the time between recorded ticks; 0 waits for nothing.
	Speed float64

	// Count ends the feed after so many ticks. Defaults to no end.
	Count int64
	// Duration ends the feed after this time. Defaults to no end.
	Duration time.Duration
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.Rate, 60)
	orDefault(&c.Seed, 1)
	orDefault(&c.Shape, Market)
	orDefault(&c.Source, "simulated")
	orDefault(&c.LateBy, 2*time.Minute)
	if channels := event.NewChannels(event.DefaultNamespace); c.Shape == Raw {
		orDefault(&c.Channel, channels.RawTicks)
	} else {
		orDefault(&c.Channel, channels.Ticks)
	}
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.From == nil && len(c.Symbols) == 0 {
		errs = append(errs, errors.New("symbols is empty: give at least one"))
	}
	if !(c.Rate > 0 && c.Rate <= 1e6) { // written so that NaN fails too
		errs = append(errs, fmt.Errorf("rate is %v: give more than 0 and at most 1000000 ticks a second", c.Rate))
	}
	if c.Shape != Market && c.Shape != Raw {
		errs = append(errs, fmt.Errorf("shape is %q: give %s or %s", c.Shape, Market, Raw))
	}
	sum := 0.0
	for _, share := range []struct {
		name  string
		value float64
	}{{"malformed", c.Malformed}, {"late", c.Late}, {"duplicate", c.Duplicate}, {"out-of-order", c.OutOfOrder}} {
		if !(share.value >= 0 && share.value <= 1) {
			errs = append(errs, fmt.Errorf("%s is %v: give a share from 0 to 1", share.name, share.value))
		}
		sum += share.value
	}
	sum += c.Duplicate + c.OutOfOrder
	if sum > 1 {
		errs = append(errs, fmt.Errorf("malformed, late, and twice duplicate and out-of-order, are %v together: give at most 1", sum))
	}
	if c.OutOfOrder > 0 && c.From == nil && len(c.Symbols) == 1 {
		errs = append(errs, errors.New("out-of-order needs at least two symbols: give another one"))
	}
	if c.LateBy < 0 || c.Duration < 0 || c.Count < 0 {
		errs = append(errs, errors.New("late-by, duration and count: give nothing negative"))
	}
	if c.Speed < 0 || math.IsNaN(c.Speed) || math.IsInf(c.Speed, 0) {
		errs = append(errs, fmt.Errorf("speed is %v: give a positive number, or 0 for as fast as possible", c.Speed))
	}
	return errors.Join(errs...)
}
