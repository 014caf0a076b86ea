package egress

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// send publishes a batch in order, in one step with the place that it reaches,
// and tries until it is out or the tenure ends. What is being sent when ctx ends
// is finished.
func (e *Egress) send(ctx context.Context, out []publication, reaches place) error {
	if len(out) == 0 {
		return nil
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 20*time.Millisecond, time.Second
	for {
		// A process that was stopped may wake up here long after its tenure.
		if !e.lease.Held() {
			return errNotLeading
		}
		err := e.attempt(ctx, out, reaches)
		if err == nil {
			if e.meter.away.Swap(false) {
				e.log.Info("redis takes results again")
			}
			return nil
		}
		if errors.Is(err, errNotLeading) {
			return err
		}
		e.meter.failures.Add(1)
		if !e.meter.away.Swap(true) {
			e.log.Warn("redis does not take results, trying until it does", "err", err)
		}
		if ctx.Err() != nil {
			return err
		}
		pause(ctx, min(wait.NextBackOff(), time.Second)) // its jitter goes beyond the interval
	}
}

// attempt is one round trip, and before it one to claim the fence where that is
// not ours.
func (e *Egress) attempt(ctx context.Context, out []publication, reaches place) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer cancel()
	receivers, err := e.fence.publish(ctx, out, reaches)
	if errors.Is(err, errFenced) {
		if err := e.fence.claim(ctx); err != nil {
			return err
		}
		if !e.lease.Held() {
			return errNotLeading
		}
		receivers, err = e.fence.publish(ctx, out, reaches)
	}
	if err != nil {
		return fmt.Errorf("send %d results: %w", len(out), err)
	}
	e.meter.published(out, receivers)
	return nil
}
