package ceiling

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// prefetch is what gives an ordered consumer its greatest speed here.
const prefetch = 10_000

// Consume reads a stream from its beginning to what is its end now with an
// ordered consumer, and does nothing with it.
func Consume(ctx context.Context, natsURL, name string) (Cost, error) {
	var cost Cost
	nc, err := nats.Connect(natsURL)
	if err != nil {
		return cost, fmt.Errorf("connect to NATS: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return cost, fmt.Errorf("open JetStream: %w", err)
	}
	s, err := js.Stream(ctx, name)
	if err != nil {
		return cost, fmt.Errorf("look up stream %s: %w", name, err)
	}
	want := int64(s.CachedInfo().State.Msgs) //nolint:gosec // messages fit
	if want == 0 {
		return cost, nil
	}
	consumer, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return cost, fmt.Errorf("read %s: %w", name, err)
	}
	var count atomic.Int64
	done := make(chan time.Time, 1)
	began := time.Now()
	consuming, err := consumer.Consume(func(jetstream.Msg) {
		if count.Add(1) == want {
			done <- time.Now()
		}
	}, jetstream.PullMaxMessages(prefetch))
	if err != nil {
		return cost, fmt.Errorf("read %s: %w", name, err)
	}
	defer consuming.Stop()
	select {
	case ended := <-done:
		cost.Messages, cost.Seconds = want, ended.Sub(began).Seconds()
		cost.allocated()
		return cost, nil
	case <-ctx.Done():
		return cost, fmt.Errorf("read %s: %d of %d messages: %w", name, count.Load(), want, ctx.Err())
	}
}
