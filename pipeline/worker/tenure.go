package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

const (
	// handEvery is how many messages are taken in before their results are
	// handed on, where more messages wait.
	handEvery = 512
	// checkpointShare bounds the time that goes into checkpoints to one part in
	// so many.
	checkpointShare = 20
	// lookInterval is between two looks at the checkpoint where no message comes.
	// Longer than two heartbeats, which are missed within one wait or never.
	lookInterval = 5 * time.Second
	// leaveTimeout is within the lease's TTL.
	leaveTimeout = time.Second
	// handOverTimeout is for all that is queued, while the lease is still renewed.
	handOverTimeout = 10 * time.Second
)

// tenure is one worker's ownership of one partition, from taking it over to
// losing it.
type tenure struct {
	cfg                   Config
	js                    jetstream.JetStream
	log                   *slog.Logger
	partition, partitions int
	counters              *counters
	state                 *atomic.Pointer[presence.Partition]

	created     int64 // of TICKS, Unix nanoseconds
	scan        *scan
	checkpoints checkpoints
	anchored    int32 // market day whose anchor is stored
	results     *results
	aggregator  *aggregate.Partition
	decoder     *tick.Decoder
	tick        tick.Tick // the one at hand
	fold        fold
	handErr     error                         // of a hand-over in the middle of a message
	handed      atomic.Pointer[jetstream.Msg] // the last message whose results are handed over
}

// run owns the partition until ctx ends, or returns the error that ended it. held
// ends with the lease, and ctx before that where the partition is given up.
func (t *tenure) run(ctx, held context.Context) error {
	// The publishers outlive ctx by as long as leaving takes.
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var publishers sync.WaitGroup
	for _, o := range t.outboxes() {
		publishers.Go(func() { o.run(publishing) }) // ends with stop
	}
	defer publishers.Wait()
	defer stop()
	t.results.barsDone = func() {
		t.handErr = errors.Join(t.handErr, t.results.bars.hand(ctx))
	}
	if err := t.restore(ctx); err != nil {
		return fmt.Errorf("take over partition %d: %w", t.partition, err)
	}
	if err := t.consume(ctx); ctx.Err() == nil {
		return fmt.Errorf("partition %d: %w", t.partition, err)
	}
	t.leave(held)
	return nil
}

func (t *tenure) outboxes() []*outbox {
	return []*outbox{t.results.bars, t.results.signals, t.results.rejects}
}

// consume goes on from where the state is: together with the other partitions
// of this worker while far behind. It returns the error that ends it.
func (t *tenure) consume(ctx context.Context) error {
	for together := true; ; {
		begin := t.aggregator.Sequence()
		consumer, err := placeConsumer(ctx, t.js, t.partition, begin)
		if err != nil {
			return err
		}
		var in *input
		if behind := consumer.CachedInfo().NumPending; together && behind > farBehind {
			t.log.Info("catching up", "partition", t.partition, "behind", behind)
			in = t.scan.join(ctx, t.partition, begin)
		}
		if in == nil {
			if in, err = openInput(consumer, begin); err != nil {
				return err
			}
			t.log.Info("partition taken over", "partition", t.partition, "seq", begin, "symbols", t.aggregator.Symbols())
		}
		err = t.work(ctx, in)
		in.close()
		if !errors.Is(err, errCaughtUp) {
			return err
		}
		// What is acknowledged from here on is behind what is stored.
		if err := t.drain(ctx); err != nil {
			return err
		}
		together = t.aggregator.Sequence() > begin
	}
}

// work takes what comes in, until that ends.
func (t *tenure) work(ctx context.Context, in *input) error {
	t.report()
	saved, pause := time.Now(), t.cfg.CheckpointInterval
	for taken := 1; ; taken++ {
		msg, err := t.next(ctx, in)
		if err != nil {
			return err
		}
		t.follow(&msg)
		t.take(&msg)
		if msg.pending > 0 && taken%handEvery != 0 && t.handErr == nil {
			continue
		}
		if in.together == nil {
			last := msg.Msg
			t.handed.Store(&last)
		}
		if err := errors.Join(t.handErr, t.hand(ctx)); err != nil {
			return err
		}
		t.settle()
		t.report()
		if now := time.Now(); now.Sub(saved) >= pause {
			if err := t.save(ctx); err != nil {
				return err
			}
			if in.together != nil { // so that one sees how far behind it is
				if _, err := placeConsumer(ctx, t.js, t.partition, t.aggregator.Sequence()); err != nil {
					return err
				}
			}
			saved = time.Now()
			pause = max(t.cfg.CheckpointInterval, checkpointShare*saved.Sub(now))
		}
	}
}

// next waits for a message, and looks now and then whether somebody else has
// written the checkpoint: to take over, or to ask for a rebuild.
func (t *tenure) next(ctx context.Context, in *input) (message, error) {
	for {
		msg, err := in.next(ctx)
		if !errors.Is(err, errQuiet) {
			return msg, err
		}
		changed, err := t.checkpoints.changed(ctx)
		if err != nil {
			return msg, err
		}
		if changed {
			return msg, errTakenOver
		}
	}
}

// settle acknowledges what was handed over once all of it is stored, so that
// what the server has pending is how far behind the results are. Recovery does
// not depend on it.
func (t *tenure) settle() {
	for _, o := range t.outboxes() {
		if o.unstored.Load() > 0 {
			return // it will settle
		}
	}
	if msg := t.handed.Swap(nil); msg != nil {
		if err := (*msg).Ack(); err != nil {
			t.log.Debug("ticks not acknowledged", "partition", t.partition, "err", err)
		}
	}
}

// take gives one message of TICKS to the aggregator.
func (t *tenure) take(msg *message) {
	t.counters.consumed.Add(1)
	r := t.results
	sequence := msg.sequence
	r.sequence, r.storedAt, r.payload, r.subject = sequence, msg.time(), msg.Data(), msg.Subject()
	if isClock(r.subject) {
		var mark event.ClockMark
		if err := json.Unmarshal(r.payload, &mark); err != nil {
			r.reject("clock_mark_unreadable", err.Error())
			t.aggregator.Skip(sequence)
			return
		}
		t.aggregator.Mark(mark.Time.Time, sequence)
		return
	}
	decoded := &t.tick
	if err := t.decoder.Decode(r.payload, r.storedAt, decoded); err != nil {
		reason, detail := "unreadable", err.Error()
		if refusal, ok := errors.AsType[*tick.Refusal](err); ok {
			reason = string(refusal.Reason)
		}
		r.reject(reason, detail)
		t.aggregator.Skip(sequence)
		return
	}
	if !stream.IsStoredTick(r.subject, decoded.Symbol) {
		r.reject("subject_mismatch", fmt.Sprintf("the tick is of %q", decoded.Symbol))
		t.aggregator.Skip(sequence)
		return
	}
	t.aggregator.Tick(decoded, sequence)
}

// hand gives the publishers all that is pending.
func (t *tenure) hand(ctx context.Context) error {
	defer t.endFold()
	return errors.Join(t.results.bars.hand(ctx), t.results.signals.hand(ctx), t.results.rejects.hand(ctx))
}

// drain hands on all that is pending, and waits until it is stored.
func (t *tenure) drain(ctx context.Context) error {
	if err := errors.Join(t.handErr, t.hand(ctx)); err != nil {
		return err
	}
	for _, o := range t.outboxes() {
		if err := o.drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// save waits until all results are stored, then stores the state.
func (t *tenure) save(ctx context.Context) error {
	if err := t.drain(ctx); err != nil {
		return err
	}
	state, err := t.aggregator.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("encode the state of partition %d: %w", t.partition, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 6*apiTimeout)
	defer cancel()
	next := t.checkpoints.manifest
	next.Sequence, next.Created, next.Worker = t.aggregator.Sequence(), t.created, t.cfg.Instance
	if t.results.sequence == next.Sequence {
		next.StoredAt = t.results.storedAt.UnixNano()
	}
	if err := t.checkpoints.save(ctx, next, state); err != nil {
		return fmt.Errorf("checkpoint partition %d: %w", t.partition, err)
	}
	if err := t.dropAnchor(ctx, state); err != nil {
		return fmt.Errorf("checkpoint partition %d: %w", t.partition, err)
	}
	return nil
}

// leave stores the state on the way out, so that whoever takes over has
// nothing to go through again. Not to succeed costs that one time and nothing
// else.
func (t *tenure) leave(held context.Context) {
	leave := func(ctx context.Context, timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := errors.Join(t.handErr, t.hand(ctx)); err != nil {
			return err
		}
		return t.save(ctx)
	}
	if errors.Is(t.handErr, context.Canceled) {
		t.handErr = nil // what was not handed over is pending still
	}
	err := leave(held, handOverTimeout)
	if err != nil && held.Err() != nil {
		err = leave(context.WithoutCancel(held), leaveTimeout)
	}
	if err != nil {
		t.log.Info("left a partition without a checkpoint: whoever takes it over goes through its last seconds again", "partition", t.partition, "err", err)
	}
}

// report tells the rest of the process how far the partition is.
func (t *tenure) report() {
	t.state.Store(&presence.Partition{
		Number: t.partition, Watermark: t.aggregator.Watermark(),
		Sequence: t.aggregator.Sequence(), Symbols: t.aggregator.Symbols(),
	})
}

func isClock(subject string) bool { return strings.HasPrefix(subject, stream.ClockPrefix) }
