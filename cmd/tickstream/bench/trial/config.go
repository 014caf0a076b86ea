// Package trial holds the benchmarks: each runs a ceiling and tickstream in turn
// on servers of its own, and checks that nothing was lost meanwhile.
package trial

import (
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
)

// Config of the benchmarks.
type Config struct {
	// Binary is tickstream's own. Required.
	Binary string
	// Dir is an empty folder for data and logs. Required.
	Dir string
	// NATSURL and RedisURL are servers that run; empty for ones of our own. A
	// NATS must hold no stream of tickstream: they are made and deleted.
	NATSURL, RedisURL string
	// Rounds of each measurement.
	Rounds int
	// Ticks of one measurement, and the symbols that they are of.
	Ticks   int64
	Symbols int
	// Rates a second at which latency is measured, each for Duration.
	Rates    []float64
	Duration time.Duration
	// Burst is how many ticks come at once.
	Burst int64
	// ManySymbols is the larger number of symbols that are worked through.
	ManySymbols int
	// Sizes are the numbers of symbols over which growth is measured.
	Sizes []int
	// Minutes is how many minute ends are lived through in each round.
	Minutes int
	// Idle is how long nothing is done.
	Idle time.Duration
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	var errs []error
	if c.Rounds < 1 || c.Rounds > 100 {
		errs = append(errs, fmt.Errorf("rounds is %d: give 1 to 100", c.Rounds))
	}
	for _, n := range []struct {
		name  string
		ticks int64
	}{{"ticks", c.Ticks}, {"burst", c.Burst}} {
		if n.ticks < 1000 || n.ticks > load.MaxTicks {
			errs = append(errs, fmt.Errorf("%s is %d: give 1000 to %d", n.name, n.ticks, int64(load.MaxTicks)))
		}
	}
	for _, n := range append([]int{c.Symbols, c.ManySymbols}, c.Sizes...) {
		if n < 1 || n > maxSymbols {
			errs = append(errs, fmt.Errorf("symbols is %d: give 1 to %d", n, maxSymbols))
		}
	}
	for _, rate := range c.Rates {
		if !(rate >= 1 && rate <= 1e6) {
			errs = append(errs, fmt.Errorf("rates is %v: give 1 to 1000000 ticks a second", rate))
		}
	}
	if c.Duration < 100*time.Millisecond || c.Duration > time.Hour {
		errs = append(errs, fmt.Errorf("duration is %v: give 100ms to 1h", c.Duration))
	}
	if c.Minutes < 1 || c.Minutes > 60 {
		errs = append(errs, fmt.Errorf("minutes is %d: give 1 to 60", c.Minutes))
	}
	if c.Idle < time.Second || c.Idle > time.Hour {
		errs = append(errs, fmt.Errorf("idle is %v: give 1s to 1h", c.Idle))
	}
	return errors.Join(errs...)
}

const (
	// maxSymbols is what a bridge takes unless told otherwise.
	maxSymbols = 50_000
	// namespace of the Redis channels.
	namespace = "tickstream-bench"
	// backlog is how many ticks wait while a sustained rate is measured: enough
	// to keep everybody busy, and far below what makes Redis cut a subscriber.
	backlog = 30_000
	// startTimeout is how long a process may take to be ready, and
	// stopTimeout to stop.
	startTimeout = 30 * time.Second
	stopTimeout  = 45 * time.Second
	// stuckAfter is how long nothing may move before a measurement is given up.
	stuckAfter = 30 * time.Second
)
