package egress

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// confirmations passes the store's confirmations on until ctx ends. They are not
// stored anywhere: one that comes while Redis is away is counted and let go.
func (e *Egress) confirmations(ctx context.Context) {
	incoming := make(chan *nats.Msg, 1024)
	subscription, err := e.nats.ChanSubscribe(stream.Persistence, incoming)
	for err != nil && ctx.Err() == nil { // only a connection that is closed refuses
		pause(ctx, time.Second)
		subscription, err = e.nats.ChanSubscribe(stream.Persistence, incoming)
	}
	if err != nil {
		return
	}
	defer func() { _ = subscription.Unsubscribe() }() // the connection may be gone
	for {
		select {
		case <-ctx.Done():
			return
		case msg := <-incoming:
			if !e.lease.Held() {
				continue
			}
			if _, err := e.attempt(ctx, []publication{{e.cfg.Channels.Persistence, msg.Data}}); err != nil {
				e.meter.failures.Add(1)
			}
		}
	}
}
