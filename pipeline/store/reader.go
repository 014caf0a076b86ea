package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	natsTimeout = 5 * time.Second
	// A pull request that outlives its reader swallows what is delivered to it,
	// so it is short.
	pullExpiry = 2 * time.Second
	ackWait    = 30 * time.Second
)

// errGap is returned by [reader.next] when a delivery went missing: to a reader
// that died, or with a connection. What was not acknowledged must be read again
// in order.
var errGap = errors.New("a delivery was lost on its way")

// reader reads a consumer from its ack floor, strictly in the order of the
// stream.
type reader struct {
	consumer  jetstream.Consumer
	messages  jetstream.MessagesContext
	delivered uint64 // consumer sequence of the last message
	seen      uint64 // stream sequence of the last message
}

// open makes the durable consumer where it is missing, and takes it back to
// what is acknowledged: what a reader before had in hand is delivered at once.
func open(ctx context.Context, js jetstream.JetStream, t *table, batchSize int) (*reader, error) {
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	// Acknowledged one by one: an acknowledgement of all before, by a writer
	// that was thought dead, would count in the numbering of its own time.
	consumer, err := js.CreateOrUpdateConsumer(ctx, t.stream, jetstream.ConsumerConfig{
		Durable:       t.consumer,
		Description:   "stores in PostgreSQL: " + t.names[len(t.names)-1],
		FilterSubject: t.filter,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxAckPending: 4 * batchSize,
	})
	if err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", t.consumer, err)
	}
	if _, err := js.ResetConsumer(ctx, t.stream, t.consumer); err != nil {
		return nil, fmt.Errorf("take consumer %s back to its ack floor: %w", t.consumer, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2*batchSize), jetstream.PullExpiry(pullExpiry))
	if err != nil {
		return nil, fmt.Errorf("consume %s: %w", t.consumer, err)
	}
	return &reader{consumer: consumer, messages: messages}, nil
}

// next is the next message, its sequence in the stream, and whether it came
// before: redelivered because its batch took long.
func (r *reader) next(ctx context.Context) (msg jetstream.Msg, sequence uint64, again bool, err error) {
	msg, err = r.messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, 0, false, fmt.Errorf("read the next message: %w", err)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return nil, 0, false, fmt.Errorf("read the next message: %w", err)
	}
	if meta.Sequence.Consumer != r.delivered+1 {
		return nil, 0, false, fmt.Errorf("delivery %d follows %d: %w", meta.Sequence.Consumer, r.delivered, errGap)
	}
	r.delivered = meta.Sequence.Consumer
	again = meta.Sequence.Stream <= r.seen
	r.seen = max(r.seen, meta.Sequence.Stream)
	return msg, meta.Sequence.Stream, again, nil
}

// wait is next for a reader with nothing in hand. What is delivered to a reader
// that died shows in no sequence here until more follows, so the server is
// asked now and then.
func (r *reader) wait(ctx context.Context) (msg jetstream.Msg, sequence uint64, again bool, err error) {
	for kept := false; ; {
		idle, cancel := context.WithTimeout(ctx, pullExpiry)
		msg, sequence, again, err = r.next(idle)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return msg, sequence, again, err
		}
		asked, cancel := context.WithTimeout(ctx, natsTimeout)
		info, err := r.consumer.Info(asked)
		cancel()
		if err != nil {
			return nil, 0, false, fmt.Errorf("look at the consumer: %w", err)
		}
		if info.NumAckPending > 0 {
			return nil, 0, false, fmt.Errorf("%d are delivered and not here: %w", info.NumAckPending, errGap)
		}
		// A request for messages dies with the node that has it.
		if info.NumPending > 0 && kept {
			return nil, 0, false, fmt.Errorf("%d wait and none comes: %w", info.NumPending, errGap)
		}
		kept = info.NumPending > 0
	}
}

// settle acknowledges messages in order, and returns when the server has the
// last of them, and so all.
func settle(ctx context.Context, messages []jetstream.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	for i, msg := range messages {
		var err error
		if i < len(messages)-1 {
			err = msg.Ack()
		} else {
			err = msg.DoubleAck(ctx)
		}
		if err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
	return nil
}
