package bridge

import (
	"context"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// coverTimeout bounds the question whether another bridge reads as well.
const coverTimeout = 500 * time.Millisecond

// covered tells whether another bridge reads the same source on standby, as far
// as it says so itself.
func (i *Ingress) covered(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, coverTimeout)
	defer cancel()
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
