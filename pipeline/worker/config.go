// Package worker runs the pipeline on a share of the partitions: it reads
// TICKS, aggregates, publishes results and keeps checkpoints, such that any
// number of workers, killed and started at any time, publish what one would.
package worker

import (
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Config of a [Worker].
type Config struct {
	// Instance identifies this process. Required.
	Instance string
	// Aggregation must be the same in all workers.
	Aggregation aggregate.Config
	// MaxFuture is how far a tick may be ahead of the moment at which it was
	// stored: the bridge's bound and what clocks differ by. Defaults to 2 min.
	MaxFuture time.Duration
	// CheckpointInterval is how much time, at most, a worker that takes over
	// has to go through again. A state that takes long to write is written less
	// often. Defaults to 10 s.
	CheckpointInterval time.Duration
	// Telemetry takes how long batches take; nil for nobody.
	Telemetry *telemetry.Telemetry
}

func (c Config) withDefaults() Config {
	if c.CheckpointInterval == 0 {
		c.CheckpointInterval = 10 * time.Second
	}
	if c.MaxFuture == 0 {
		c.MaxFuture = 2 * time.Minute
	}
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Instance == "" {
		errs = append(errs, errors.New("instance is empty: give each worker a name of its own"))
	}
	if c.CheckpointInterval < 100*time.Millisecond || c.CheckpointInterval > time.Hour {
		errs = append(errs, fmt.Errorf("checkpoint interval is %v: give 100ms to 1h", c.CheckpointInterval))
	}
	errs = append(errs, c.limits().Validate(), c.Aggregation.Validate())
	return errors.Join(errs...)
}

// limits are the widest: what the bridge stored, it accepted.
func (c Config) limits() tick.Limits {
	return tick.Limits{MaxPayloadBytes: 64 << 20, MaxSymbolBytes: 1024, MaxFuture: c.MaxFuture}
}
