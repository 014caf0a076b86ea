package client

import (
	"context"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// follow reads some subjects of a stream, each message decoded, until ctx ends.
func follow[T any](ctx context.Context, c *Client, name string, subjects []string, from Selection, decode func(jetstream.Msg, Place) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		messages, err := c.open(ctx, name, subjects, from)
		if err != nil {
			if ctx.Err() == nil {
				yield(none, err)
			}
			return
		}
		defer messages.Stop()
		// Next has no end of its own while a consumer is made anew.
		defer context.AfterFunc(ctx, messages.Stop)()
		for {
			msg, err := messages.Next()
			if err != nil {
				if ctx.Err() == nil {
					yield(none, fmt.Errorf("read from %s: %w", name, err))
				}
				return
			}
			if !give(msg, name, decode, yield) {
				return
			}
		}
	}
}

func give[T any](msg jetstream.Msg, name string, decode func(jetstream.Msg, Place) (T, error), yield func(T, error) bool) bool {
	var none T
	meta, err := msg.Metadata()
	if err != nil {
		return yield(none, fmt.Errorf("read a message's place in %s: %w", name, err))
	}
	at := Place{Stream: name, Sequence: meta.Sequence.Stream, StoredAt: meta.Timestamp}
	event, err := decode(msg, at)
	if err != nil {
		return yield(none, fmt.Errorf("message %d of %s: %w: %w", at.Sequence, name, ErrMalformed, err))
	}
	return yield(event, nil)
}

func (c *Client) open(ctx context.Context, name string, subjects []string, from Selection) (jetstream.MessagesContext, error) {
	cfg := jetstream.OrderedConsumerConfig{NamePrefix: stream.ReaderName("client"), FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverNewPolicy}
	switch {
	case from.FromSequence > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, from.FromSequence
	case !from.Since.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &from.Since
	}
	consumer, err := c.js.OrderedConsumer(ctx, name, cfg)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", name, err)
	}
	return messages, nil
}
