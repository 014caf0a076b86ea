package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// TakeOver makes the durable consumer of cfg anew, at the first message that
// was not acknowledged to it; one that did not exist begins with what is new,
// or at the first message with fromStart.
//
// With the consumer before go the requests of whoever read from it, so nothing
// is delivered to a process that is dead or stopped, and nothing is waited for.
// Only one process may consume it, which a lease must see to.
func TakeOver(ctx context.Context, js jetstream.JetStream, name string, cfg jetstream.ConsumerConfig, fromStart bool) (jetstream.Consumer, error) {
	s, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	next := uint64(1)
	if !fromStart {
		next = s.CachedInfo().State.LastSeq + 1
	}
	before, err := s.Consumer(ctx, cfg.Durable)
	switch {
	case err == nil:
		next = before.CachedInfo().AckFloor.Stream + 1
		if err := s.DeleteConsumer(ctx, cfg.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, fmt.Errorf("delete consumer %s of %s: %w", cfg.Durable, name, err)
		}
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, fmt.Errorf("look up consumer %s of %s: %w", cfg.Durable, name, err)
	}
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, next
	consumer, err := s.CreateConsumer(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("create consumer %s of %s: %w", cfg.Durable, name, err)
	}
	return consumer, nil
}
