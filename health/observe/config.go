package observe

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Config of an [Observer]. The zero value means the defaults.
type Config struct {
	// RateWindow is what the rate of ticks is measured over. Defaults to 10 s.
	RateWindow time.Duration
	// ActiveWindow is how long a tick keeps its symbol active. Defaults to 60 s.
	ActiveWindow time.Duration
	// ErrorWindow is how long rejects, gaps and shed ticks count. Defaults to
	// 60 s.
	ErrorWindow time.Duration
	// Interval between two measurements. Defaults to 1 s.
	Interval time.Duration
	// DetailInterval is how often at most symbols, components, and what is in
	// the other streams are measured, which costs more. Defaults to 2 s.
	DetailInterval time.Duration
	// Timeout bounds one measurement. Defaults to 2 s.
	Timeout time.Duration
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.RateWindow, 10*time.Second)
	orDefault(&c.ActiveWindow, time.Minute)
	orDefault(&c.ErrorWindow, time.Minute)
	orDefault(&c.Interval, time.Second)
	orDefault(&c.DetailInterval, 2*time.Second)
	orDefault(&c.Timeout, 2*time.Second)
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Interval < 100*time.Millisecond || c.Interval > 10*time.Second {
		errs = append(errs, fmt.Errorf("observation interval is %v: give 100ms to 10s", c.Interval))
	}
	if c.DetailInterval < 0 || c.DetailInterval > time.Minute {
		errs = append(errs, fmt.Errorf("detail interval is %v: give up to 1m", c.DetailInterval))
	}
	// Two samples must fit, else the rate is that of another window.
	if c.RateWindow < 2*c.Interval || c.RateWindow > time.Hour {
		errs = append(errs, fmt.Errorf("rate window is %v: give at least twice the observation interval of %v, at most 1h", c.RateWindow, c.Interval))
	}
	for _, window := range []struct {
		name string
		d    time.Duration
	}{{"active", c.ActiveWindow}, {"error", c.ErrorWindow}} {
		if window.d < time.Second || window.d > 24*time.Hour {
			errs = append(errs, fmt.Errorf("%s window is %v: give 1s to 24h", window.name, window.d))
		}
	}
	if c.Timeout < 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("observation timeout is %v: give at least 100ms", c.Timeout))
	}
	return errors.Join(errs...)
}

// Deps are what an observer works with.
type Deps struct {
	JetStream jetstream.JetStream
	// Universe is what counts until [Observer.SetSession] says otherwise.
	Universe []string
	Log      *slog.Logger
}

func (d Deps) validate() error {
	if d.JetStream == nil || d.Log == nil {
		return errors.New("JetStream and Log must be set")
	}
	return nil
}
