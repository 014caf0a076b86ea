package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// gapBacklog is how many gaps wait for JetStream at most; more in one outage
// are logged and counted only.
const gapBacklog = 1024

// termGap is a gap, and the term in which it was noticed.
type termGap struct {
	event.Gap
	term int64
}

// reportGap hands a gap over to be published; it never waits.
func (i *Ingress) reportGap(from, to time.Time, reason string) {
	i.log.Warn("subscription gap", "channel", i.cfg.Channel, "from", from.UTC(), "to", to.UTC(), "duration", to.Sub(from), "reason", reason)
	select {
	case i.gaps <- termGap{event.NewGap(i.cfg.Instance, i.cfg.Channel, from, to, reason), i.queue.currentTerm()}:
	default:
	}
}

// publishGaps publishes gaps until ctx ends; each waits for JetStream and for
// the lease, because what another bridge read is no gap.
func (i *Ingress) publishGaps(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case gap := <-i.gaps:
			wait := newBackoff()
			for i.turn.awaitLease(ctx, gap.term) == nil && i.publishGap(ctx, gap.Gap) != nil {
				pause(ctx, i.js.Conn(), wait.NextBackOff())
			}
		}
	}
}

func (i *Ingress) publishGap(ctx context.Context, gap event.Gap) error {
	// One attempt is made in full, even in a stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.cfg.PublishTimeout)
	defer cancel()
	data, err := json.Marshal(gap)
	if err != nil {
		return fmt.Errorf("encode gap: %w", err)
	}
	id := fmt.Sprintf("gap-%s-%d", gap.Instance, gap.From.UnixMilli())
	if _, err := i.js.Publish(ctx, stream.HealthGap, data, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("publish gap: %w", err)
	}
	return nil
}
