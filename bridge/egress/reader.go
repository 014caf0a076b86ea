package egress

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// reader reads a flow's durable consumer, which it made anew: a request of a
// process that read from the one before, dead or stopped, takes nothing of it,
// and nothing is waited for.
type reader struct {
	consumer   jetstream.Consumer
	heard      time.Time // when the last message came, or the server was asked
	kept       bool      // it had messages when it was asked
	flow       *flow
	messages   jetstream.MessagesContext
	expect     uint64 // the consumer's sequence of the next message
	reconnects uint64 // of the connection when the reader was made
}

// received is one message with what JetStream says of it.
type received struct {
	msg  jetstream.Msg
	meta *jetstream.MsgMetadata
}

// open makes the consumer at the flow's place.
func (f *flow) open(ctx context.Context) (*reader, error) {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	reconnects := f.egress.nats.Stats().Reconnects
	s, err := f.egress.js.Stream(ctx, f.stream)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", f.stream, err)
	}
	if created := s.CachedInfo().Created.UnixNano(); f.place.created != created {
		made := f.place.created != 0 // anew, under our eyes: all of it is to be sent
		f.place = place{kind: f.durable, created: created}
		if made {
			f.place.next = 1
		}
	}
	if f.place.next == 0 {
		if err := f.locate(ctx, s); err != nil {
			return nil, err
		}
	}
	if !f.egress.lease.Held() { // the consumer is another's
		return nil, errNotLeading
	}
	if err := s.DeleteConsumer(ctx, f.durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("delete consumer %s: %w", f.durable, err)
	}
	consumer, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable:       f.durable,
		Description:   "sends to AppV2's Redis channels",
		FilterSubject: f.filter,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   f.place.next,
		AckPolicy:     jetstream.AckAllPolicy,
		AckWait:       time.Minute,
		MaxAckPending: 8 * batchSize,
	})
	if err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", f.durable, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2 * batchSize))
	if err != nil {
		return nil, fmt.Errorf("read consumer %s: %w", f.durable, err)
	}
	return &reader{flow: f, consumer: consumer, heard: time.Now(), messages: messages, expect: 1, reconnects: reconnects}, nil
}

// locate finds where this tenure begins: behind what was published, as Redis
// remembers it, and behind what was acknowledged, which outlives a Redis that
// was emptied. Where there is neither, only what is new goes out.
func (f *flow) locate(ctx context.Context, s jetstream.Stream) error {
	known, cancel := context.WithTimeout(ctx, setupTimeout/2)
	defer cancel()
	published, err := f.egress.fence.find(known, f.durable, f.place.created)
	if err != nil { // what was acknowledged is nearly as good
		f.egress.log.Debug("redis does not tell how far results are", "consumer", f.durable, "err", err)
	}
	end := s.CachedInfo().State.LastSeq + 1
	if published > end { // the stream came back from an old copy
		published = 0
	}
	before, err := s.Consumer(ctx, f.durable)
	switch {
	case err == nil:
		f.place.next = max(published, before.CachedInfo().AckFloor.Stream+1)
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return fmt.Errorf("look up consumer %s: %w", f.durable, err)
	case published > 0:
		f.place.next = published
	default:
		f.place.next = end
	}
	return nil
}

func (r *reader) close() { r.messages.Stop() }

// unanswered is [errBroken] where the server twice had messages for a reader that
// heard of none.
func (r *reader) unanswered(ctx context.Context) error {
	if time.Since(r.heard) < quiet {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	info, err := r.consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("look at consumer %s: %w", r.flow.durable, err)
	}
	if info.NumPending > 0 && r.kept {
		return errBroken
	}
	r.heard, r.kept = time.Now(), info.NumPending > 0
	if !r.kept && info.NumAckPending == 0 {
		at := r.heard
		r.flow.emptyAt.Store(&at)
	}
	return nil
}

// collect waits for one message, at most for a while, and takes those that are
// there behind it. The error is [errBroken] where one may be missing.
func (r *reader) collect(ctx context.Context) ([]received, error) {
	wait, cancel := context.WithTimeout(ctx, linger)
	defer cancel()
	// What was on its way when the connection broke comes again only after the
	// ack wait, behind later results.
	if r.flow.egress.nats.Stats().Reconnects != r.reconnects {
		return nil, errBroken
	}
	var batch []received
	for len(batch) < batchSize {
		msg, err := r.messages.Next(jetstream.NextContext(wait))
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, fmt.Errorf("read %s: %w", r.flow.durable, ctx.Err())
		case errors.Is(err, context.DeadlineExceeded) && len(batch) == 0:
			return nil, r.unanswered(ctx)
		case errors.Is(err, context.DeadlineExceeded):
			return batch, nil
		default:
			return nil, fmt.Errorf("read %s: %w", r.flow.durable, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.flow.durable, err)
		}
		// An acknowledgement covers all before it, so none may be missing.
		if meta.Sequence.Consumer != r.expect {
			return nil, errBroken
		}
		r.expect++
		r.heard, r.kept = time.Now(), false
		if meta.Sequence.Stream < r.flow.place.next {
			continue // sent, and redelivered while Redis was away
		}
		batch = append(batch, received{msg, meta})
		if meta.NumPending == 0 {
			break
		}
	}
	return batch, nil
}
