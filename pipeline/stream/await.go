package stream

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go/jetstream"
)

const ensureTimeout = 10 * time.Second

// Await is [Ensure] for a component that may start before NATS does: it tries
// until JetStream answers or ctx ends. It returns at once what waiting cannot
// mend: [ErrConflict], [ErrServerTooOld], settings that cannot be used, and what
// the server will always refuse; a store without room only after a second look.
func Await(ctx context.Context, js jetstream.JetStream, cfg Config, log *slog.Logger) (Layout, error) {
	if err := cfg.Validate(); err != nil {
		return Layout{}, fmt.Errorf("stream settings: %w", err)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 2*time.Second
	began := time.Now()
	for waiting := false; ; {
		attempt, cancel := context.WithTimeout(ctx, ensureTimeout)
		layout, err := Ensure(attempt, js, cfg, log)
		cancel()
		if err == nil || lasting(err) && !reservedTwice(err, began) {
			return layout, err
		}
		if !waiting && ctx.Err() == nil {
			log.Warn("JetStream is not ready, waiting for it", "err", err)
			waiting = true
		}
		select {
		case <-ctx.Done():
			return Layout{}, fmt.Errorf("await streams: %w", ctx.Err())
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// raceOver is longer than two roles that start at once take to make a stream.
const raceOver = 2 * time.Second

// reservedTwice reports that there may be room none the less: while two roles
// create the same stream the server counts its reservation for each of them.
func reservedTwice(err error, began time.Time) bool {
	return codeOf(err) == insufficientStorage && time.Since(began) < raceOver
}
