package dashboard

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/replays"
)

// Config of a dashboard. The zero value means the defaults.
type Config struct {
	// History is how far back a page shows what was before it was opened.
	// Defaults to 15 minutes.
	History time.Duration
	// MaxPages bounds how many pages may follow at once. Defaults to 64.
	MaxPages int
	// Symbols that the page offers for its candlestick chart.
	Symbols []string
}

func (c Config) withDefaults() Config {
	if c.History == 0 {
		c.History = 15 * time.Minute
	}
	if c.MaxPages == 0 {
		c.MaxPages = 64
	}
	return c
}

func (c Config) validate() error {
	if c.History < time.Minute || c.History > time.Hour {
		return fmt.Errorf("dashboard history is %v: give 1m to 1h", c.History)
	}
	if c.MaxPages < 1 {
		return fmt.Errorf("dashboard pages are %d: give at least 1", c.MaxPages)
	}
	return nil
}

// Source is what is shown; [health.Monitor] is one. It must not wait.
type Source interface {
	Snapshot() health.Snapshot
}

// Deps are what a dashboard works with. All are required but Replays.
type Deps struct {
	Source Source
	// JetStream is read for what was before, for bars and for sizes.
	JetStream jetstream.JetStream
	// Replays that the page starts and shows. Nil where it may not replay.
	Replays *replays.Replays
	Log     *slog.Logger
}

func (d Deps) validate() error {
	if d.Source == nil || d.JetStream == nil || d.Log == nil {
		return errors.New("dashboard: Source, JetStream and Log must be set")
	}
	return nil
}
