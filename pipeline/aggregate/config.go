// Package aggregate turns one partition of TICKS into bars, and bars into
// indicators, patterns and alerts. It is a pure state machine: what comes out
// depends on the messages that went in, in their order, and on nothing else; no
// clock, no I/O.
package aggregate

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

// Config of a [Partition]. All workers of a system must have the same.
type Config struct {
	// Lateness is how far behind the newest tick another may come and still
	// find its bar open. Defaults to 2 s.
	Lateness time.Duration
	// Grace is how long, in event time, corrections of closed bars are gathered
	// before they go out together. Defaults to 1 s.
	Grace time.Duration
	// MaxAge is how long after its end a bar may still be corrected; a later
	// tick is refused as too late. Defaults to 1 h.
	MaxAge time.Duration
	// Timeframes of the bars. 1min is always one of them. Defaults to all.
	Timeframes []string
	// SignalTimeframes are those that indicators and patterns are computed on.
	// Defaults to 1min.
	SignalTimeframes []string
	// Indicators by name. Defaults to all.
	Indicators []string
	// Patterns by name. Defaults to all.
	Patterns []string
	// MarketZone is the time zone whose midnight divides market days: daily bars
	// and the VWAP of the session. Defaults to America/New_York.
	MarketZone string
	// EndStamped says that ticks carry the end of what they tell, as per-second
	// aggregates do: a tick on the minute then belongs to the minute that ends.
	EndStamped bool
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.Lateness, 2*time.Second)
	orDefault(&c.Grace, time.Second)
	orDefault(&c.MaxAge, time.Hour)
	orDefault(&c.MarketZone, "America/New_York")
	if len(c.Timeframes) == 0 {
		for _, t := range bar.Timeframes() {
			c.Timeframes = append(c.Timeframes, t.String())
		}
	}
	if len(c.SignalTimeframes) == 0 {
		c.SignalTimeframes = []string{bar.Minute.String()}
	}
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	_, err := newPlan(c)
	return err
}

// plan is a config made ready: shared by all partitions of a process, read only.
type plan struct {
	cfg        Config
	timeframes []bar.Timeframe // 1min first
	signals    []bool          // by timeframe
	indicators *indicator.Set
	patterns   *pattern.Set
	zone       *time.Location
	templates  []template
	crossings  crossings
	// fingerprint of the settings that the state depends on.
	fingerprint uint64
}

func newPlan(cfg Config) (*plan, error) {
	cfg = cfg.withDefaults()
	p := &plan{cfg: cfg}
	var errs []error
	fail := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if cfg.Lateness < 0 || cfg.Lateness > 10*time.Minute {
		fail(fmt.Errorf("lateness is %v: give 0 to 10m", cfg.Lateness))
	}
	if cfg.Grace < 0 || cfg.Grace > 10*time.Minute {
		fail(fmt.Errorf("grace is %v: give 0 to 10m", cfg.Grace))
	}
	if cfg.MaxAge < time.Minute || cfg.MaxAge > 24*time.Hour {
		fail(fmt.Errorf("max age of a correction is %v: give 1m to 24h", cfg.MaxAge))
	}
	p.timeframes = []bar.Timeframe{bar.Minute}
	for _, name := range cfg.Timeframes {
		timeframe, err := bar.ParseTimeframe(name)
		fail(err)
		if err == nil && !slices.Contains(p.timeframes, timeframe) {
			p.timeframes = append(p.timeframes, timeframe)
		}
	}
	order := bar.Timeframes()
	slices.SortFunc(p.timeframes, func(a, b bar.Timeframe) int { return slices.Index(order, a) - slices.Index(order, b) })
	p.signals = make([]bool, len(p.timeframes))
	for _, name := range cfg.SignalTimeframes {
		timeframe, err := bar.ParseTimeframe(name)
		fail(err)
		i := slices.Index(p.timeframes, timeframe)
		if err == nil && i < 0 {
			fail(fmt.Errorf("signals are asked on %s, of which no bars are made: add it to the timeframes", name))
		} else if err == nil {
			p.signals[i] = true
		}
	}
	var err error
	p.indicators, err = indicator.NewSet(cfg.Indicators...)
	fail(err)
	p.patterns, err = pattern.NewSet(cfg.Patterns...)
	fail(err)
	p.zone, err = time.LoadLocation(cfg.MarketZone)
	if err != nil {
		fail(fmt.Errorf("market zone is %q: give a zone such as America/New_York: %w", cfg.MarketZone, err))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	p.templates = templatesOf(p.indicators)
	p.crossings = crossingsOf(p.indicators)
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%v|%v|%v", p.timeframes, p.signals, cfg)
	for _, d := range p.indicators.Definitions() {
		fmt.Fprintf(hash, "|%s", d.Name)
	}
	for _, d := range p.patterns.Definitions() {
		fmt.Fprintf(hash, "|%s", d.Name)
	}
	p.fingerprint = hash.Sum64()
	return p, nil
}
