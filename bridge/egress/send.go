package egress

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"
)

// errNotLeading is returned where the lease may be another's by now.
var errNotLeading = errors.New("the lease ran out")

// send publishes in order and in one round trip, and tries again from the first
// that failed until all are out or the tenure ends.
func (e *Egress) send(ctx context.Context, out []publication) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 20*time.Millisecond, time.Second
	for len(out) > 0 {
		// A process that was stopped may wake up here long after its tenure.
		if !e.lease.Held() {
			return errNotLeading
		}
		sent, err := e.attempt(ctx, out[:min(len(out), batchSize)])
		out = out[sent:]
		if err == nil {
			wait.Reset()
			continue
		}
		e.meter.failures.Add(1)
		if ctx.Err() != nil {
			return fmt.Errorf("publish to redis: %w", err)
		}
		e.log.Debug("redis does not take results, trying again", "err", err)
		pause(ctx, wait.NextBackOff())
	}
	return nil
}

// attempt is one round trip; it tells how many from the first on are out.
func (e *Egress) attempt(ctx context.Context, out []publication) (sent int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer cancel()
	pipe := e.redis.Pipeline()
	receivers := make([]*redis.IntCmd, len(out))
	for i, p := range out {
		receivers[i] = pipe.Publish(ctx, p.channel, p.payload)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, cmd := range receivers {
		n, err := cmd.Result()
		if err != nil {
			return i, fmt.Errorf("publish to %s: %w", out[i].channel, err)
		}
		e.meter.published(out[i].channel, n)
	}
	return len(out), nil
}
