// Package bridge is the Redis side of tickstream: ticks in from AppV2's Redis,
// in order and exactly once, into JetStream.
package bridge

import (
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// SourceKind is how ticks are read from Redis.
type SourceKind string

// The kinds of source.
const (
	// PubSub reads a channel. What is published while the bridge is not
	// subscribed is lost to it; the gap is measured and published.
	PubSub SourceKind = "pubsub"
	// Stream reads a Redis stream with a consumer group and loses nothing.
	Stream SourceKind = "stream"
)

// Durability is what an acknowledged tick survives. It chooses how ticks are
// published; what it promises is kept by the server's sync_interval.
type Durability string

// The durabilities.
const (
	// ProcessSafe outlives a crash of every process. A power cut may cost what
	// came within the server's sync_interval, by default two minutes.
	ProcessSafe Durability = "process-safe"
	// PowerSafe outlives a power cut where the server's sync_interval is
	// always: ticks go in atomic batches, which share one write-through.
	PowerSafe Durability = "power-safe"
)

// Config of the [Ingress].
type Config struct {
	// Instance identifies this process. Required.
	Instance string
	// Source is how ticks are read. Defaults to PubSub.
	Source SourceKind
	// Channel is the Redis channel, or the key of the Redis stream. Defaults
	// to AppV2's tick channel.
	Channel string
	// Group is the consumer group of a Redis stream. Defaults to "tickstream".
	Group string
	// Consumer is this bridge's name in the group; the same name after a
	// restart takes up what was left. Defaults to "bridge".
	Consumer string
	// Field of a stream entry that holds the payload. Defaults to "data"; an
	// entry with one field only needs no name.
	Field string
	// Limits of what counts as a tick.
	Limits tick.Limits
	// MaxSymbols is how many different symbols are taken; ticks of more are
	// refused. Those that TICKS holds count. Defaults to 50,000.
	MaxSymbols int
	// Universe are the symbols whose ticks are taken, as AppV2 spells them;
	// others are refused. Empty takes all.
	Universe []string
	// MaxQueueBytes bounds the ticks in memory that await JetStream. With a
	// [Spool] they go to disk long before; beyond it a channel's oldest are
	// shed and counted, and a stream is read no further. What [ReadAhead] may
	// hold and up to 32 MiB of refused input come on top. Defaults to 512 MiB.
	MaxQueueBytes int64
	// Durability is what an acknowledged tick survives. Defaults to ProcessSafe.
	Durability Durability
	// Lateness is how long after its event time a tick may still be expected;
	// clock marks stay behind the clock by it. Defaults to 2 s.
	Lateness time.Duration
	// MarkInterval is the time between clock marks; one more follows each
	// minute's end. Defaults to 5 s.
	MarkInterval time.Duration
	// SilenceTimeout is how long Redis may leave a ping unanswered before the
	// subscription counts as lost. Defaults to 5 s.
	SilenceTimeout time.Duration
	// PublishTimeout bounds the wait for one acknowledgement. Defaults to 5 s.
	PublishTimeout time.Duration
	// DrainTimeout bounds how long a stop waits for what was read to be
	// stored. Defaults to 30 s.
	DrainTimeout time.Duration
	// Telemetry takes how long batches take; nil for nobody.
	Telemetry *telemetry.Telemetry
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.Source, PubSub)
	orDefault(&c.Channel, event.NewChannels(event.DefaultNamespace).Ticks)
	orDefault(&c.Group, "tickstream")
	orDefault(&c.Consumer, "bridge")
	orDefault(&c.Field, "data")
	orDefault(&c.MaxSymbols, 50_000)
	orDefault(&c.MaxQueueBytes, 512<<20)
	orDefault(&c.Durability, ProcessSafe)
	orDefault(&c.Lateness, 2*time.Second)
	orDefault(&c.MarkInterval, 5*time.Second)
	orDefault(&c.SilenceTimeout, 5*time.Second)
	orDefault(&c.PublishTimeout, 5*time.Second)
	orDefault(&c.DrainTimeout, 30*time.Second)
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Instance == "" {
		errs = append(errs, errors.New("instance is empty: give each bridge a name of its own"))
	}
	if c.Source != PubSub && c.Source != Stream {
		errs = append(errs, fmt.Errorf("source is %q: give %q or %q", c.Source, PubSub, Stream))
	}
	if err := c.Limits.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.MaxSymbols < 1 {
		errs = append(errs, fmt.Errorf("max symbols is %d: give at least 1", c.MaxSymbols))
	}
	if c.MaxQueueBytes < 1<<20 {
		errs = append(errs, fmt.Errorf("max queue bytes is %d: give at least 1 MiB", c.MaxQueueBytes))
	}
	if c.Durability != ProcessSafe && c.Durability != PowerSafe {
		errs = append(errs, fmt.Errorf("durability is %q: give %q or %q", c.Durability, ProcessSafe, PowerSafe))
	}
	if c.Lateness < 0 || c.Lateness > 10*time.Minute {
		errs = append(errs, fmt.Errorf("lateness is %v: give 0 to 10m", c.Lateness))
	}
	if c.MarkInterval < time.Second {
		errs = append(errs, fmt.Errorf("mark interval is %v: give at least 1s", c.MarkInterval))
	}
	if c.SilenceTimeout < 2*time.Second {
		errs = append(errs, fmt.Errorf("silence timeout is %v: give at least 2s", c.SilenceTimeout))
	}
	if c.PublishTimeout < 100*time.Millisecond || c.DrainTimeout < 100*time.Millisecond {
		errs = append(errs, errors.New("publish and drain timeout: give at least 100ms each"))
	}
	return errors.Join(errs...)
}
