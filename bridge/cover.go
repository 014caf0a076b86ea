package bridge

import (
	"context"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// coverTimeout bounds the question whether another bridge reads as well.
	coverTimeout = 500 * time.Millisecond
	// coverPoll is how often it is asked whether that one has said so.
	coverPoll = 5 * time.Millisecond
)

// covered tells whether another bridge is on standby that was subscribed before
// this one, which subscribed again with the beat of a position: it heard what this
// one missed, or more of it. The first it says to NATS every other second; the
// second on the channel of beats, right behind that beat.
func (i *Ingress) covered(ctx context.Context, beat func() uint32) bool {
	ctx, cancel := context.WithTimeout(ctx, coverTimeout)
	defer cancel()
	if !i.stoodBy(ctx) {
		return false
	}
	poll := time.NewTicker(coverPoll)
	defer poll.Stop()
	for !i.names.joined(beat()) {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
	return true
}

// stoodBy tells whether another bridge of the same source is on standby, as far as
// it says so itself. Whether it is subscribed may have changed since.
func (i *Ingress) stoodBy(ctx context.Context) bool {
	bucket, err := i.js.KeyValue(ctx, stream.ComponentsBucket)
	if err != nil {
		return false
	}
	reports, err := presence.List(ctx, bucket)
	if err != nil {
		return false
	}
	for _, r := range reports {
		if b := r.Bridge; b != nil && r.Instance != i.cfg.Instance && b.Source == i.cfg.Channel &&
			b.State == presence.StateStandby && time.Since(r.ReportedAt) < 3*presence.Interval {
			return true
		}
	}
	return false
}
