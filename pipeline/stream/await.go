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
// the server will always refuse.
func Await(ctx context.Context, js jetstream.JetStream, cfg Config, log *slog.Logger) (Layout, error) {
	if err := cfg.Validate(); err != nil {
		return Layout{}, fmt.Errorf("stream settings: %w", err)
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 2*time.Second
	for waiting := false; ; {
		attempt, cancel := context.WithTimeout(ctx, ensureTimeout)
		layout, err := Ensure(attempt, js, cfg, log)
		cancel()
		if err == nil || lasting(err) {
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
