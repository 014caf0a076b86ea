package egress

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	batchSize  = 256 // messages a round trip
	apiTimeout = 5 * time.Second
	// linger is how long a flow waits for a message before it looks whether it
	// has something of its own to send.
	linger = 250 * time.Millisecond
)

// publication is one message to Redis.
type publication struct {
	channel string
	payload []byte
}

// flow carries one kind of result.
type flow struct {
	egress  *Egress
	durable string
	stream  string
	filter  string
	// encode is what is sent of a message; none where it is not for AppV2.
	encode func(msg jetstream.Msg) ([]publication, error)
	// due is what is sent beside messages, at least every linger; may be nil.
	due func(now time.Time) []publication
}

// run carries until ctx ends, or returns the error that ended it. began is
// called once it carries.
func (f *flow) run(ctx context.Context, began func()) error {
	setup, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	consumer, err := stream.TakeOver(setup, f.egress.js, f.stream, jetstream.ConsumerConfig{
		Durable:       f.durable,
		Description:   "sends to AppV2's Redis channels",
		FilterSubject: f.filter,
		AckPolicy:     jetstream.AckAllPolicy,
		AckWait:       time.Minute,
		MaxAckPending: 8 * batchSize,
	}, false)
	if err != nil {
		return err //nolint:wrapcheck // says what it did
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2 * batchSize))
	if err != nil {
		return fmt.Errorf("consume %s: %w", f.stream, err)
	}
	defer messages.Stop()
	began()
	for {
		batch, err := f.collect(ctx, messages)
		if err != nil {
			return err
		}
		var out []publication
		for _, msg := range batch {
			publications, err := f.encode(msg)
			if err != nil {
				f.egress.meter.malformed.Add(1)
				f.egress.log.Debug("a result cannot be read", "subject", msg.Subject(), "err", err)
			}
			out = append(out, publications...)
		}
		if f.due != nil {
			out = append(out, f.due(time.Now())...)
		}
		// What was read is finished, though ctx may have ended.
		if err := f.egress.send(ctx, out); err != nil {
			return err
		}
		if len(batch) > 0 {
			if err := batch[len(batch)-1].Ack(); err != nil {
				return fmt.Errorf("ack results: %w", err)
			}
		}
	}
}

// collect waits for one message, at most for a while, and takes those that are
// there behind it.
func (f *flow) collect(ctx context.Context, messages jetstream.MessagesContext) ([]jetstream.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, linger)
	defer cancel()
	var batch []jetstream.Msg
	for len(batch) < batchSize {
		msg, err := messages.Next(jetstream.NextContext(wait))
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, fmt.Errorf("consume %s: %w", f.stream, ctx.Err())
		case errors.Is(err, context.DeadlineExceeded):
			return batch, nil
		default:
			return nil, fmt.Errorf("consume %s: %w", f.stream, err)
		}
		batch = append(batch, msg)
		meta, err := msg.Metadata()
		if err != nil {
			return nil, fmt.Errorf("consume %s: %w", f.stream, err)
		}
		f.egress.meter.lag(f.durable, meta.NumPending)
		if meta.NumPending == 0 {
			return batch, nil
		}
	}
	return batch, nil
}
