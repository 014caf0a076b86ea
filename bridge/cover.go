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

// covered tells whether another bridge is on standby that heard all of what this
// one missed before a position. The first it says to NATS every other second; the
// second on the channel of beats, right behind the beat with which this bridge
// subscribed again.
func (i *Ingress) covered(ctx context.Context, at position) bool {
	ctx, cancel := context.WithTimeout(ctx, coverTimeout)
	defer cancel()
	if !i.stoodBy(ctx) {
		return false
	}
	poll := time.NewTicker(coverPoll)
	defer poll.Stop()
	for !i.names.isCovered(at) {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
	return true
}

// stoodBy tells whether another bridge reads the same source on standby, as far
// as it says so itself.
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
			b.State == presence.StateStandby && b.Subscribed && time.Since(r.ReportedAt) < 3*presence.Interval {
			return true
		}
	}
	return false
}
