package bridge

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// gapBacklog is how many gaps wait for JetStream at most; more in one outage
// are logged and counted only.
const gapBacklog = 1024

// reportGap hands a gap over to be published; it never waits.
func (i *Ingress) reportGap(gap missed) {
	i.log.Warn("subscription gap", "channel", i.cfg.Channel, "from", gap.From.UTC(), "to", gap.To.UTC(),
		"duration", gap.To.Sub(gap.From), "reason", gap.Reason)
	select {
	case i.gaps <- gap:
	default:
	}
}

// publishGaps publishes gaps until ctx ends; each waits for JetStream.
func (i *Ingress) publishGaps(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case gap := <-i.gaps:
			wait := newBackoff()
			for ctx.Err() == nil && i.publishGap(ctx, gap) != nil {
				pause(ctx, i.js.Conn(), wait.NextBackOff())
			}
		}
	}
}

func (i *Ingress) publishGap(ctx context.Context, gap missed) error {
	// One attempt is made in full, even in a stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.cfg.PublishTimeout)
	defer cancel()
	data, err := json.Marshal(event.NewGap(i.cfg.Instance, i.cfg.Channel, gap.From, gap.To, gap.Reason))
	if err != nil {
		return fmt.Errorf("encode gap: %w", err)
	}
	id := fmt.Sprintf("gap-%s-%d", i.cfg.Instance, gap.From.UnixMilli())
	if _, err := i.js.Publish(ctx, stream.HealthGap, data, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("publish gap: %w", err)
	}
	return nil
}

// reportDowntime reports the time in which no bridge listened before this one
// did, if there was such a time, when it leads first.
func (i *Ingress) reportDowntime(ctx context.Context) {
	watermark, err := i.lastMark(ctx)
	if err != nil {
		i.log.Warn("cannot tell since when no bridge listened", "err", err)
		return
	}
	if until := watermark.Add(i.cfg.Lateness); !watermark.IsZero() {
		i.source.resume(until)
	}
}
