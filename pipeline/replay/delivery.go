package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	prefetch     = 10_000 // messages on their way from the server at most
	retryFirst   = 100 * time.Millisecond
	retryLongest = 5 * time.Second
	// consumerLife is how long the server keeps a consumer that nobody pulls
	// from; a pause may be longer, and makes another one necessary.
	consumerLife = time.Minute
)

// errLost ends a delivery that lost the server or a message: the next one takes
// up where it ended.
var errLost = errors.New("lost the server, or a message on its way")

// sinkError is a failure of the sink, which trying again would not mend.
type sinkError struct{ err error }

func (e *sinkError) Error() string { return e.err.Error() }

// read reads to the end of the range, with a new delivery after each failure.
func (r *Replay) read(ctx context.Context) error {
	wait := retryFirst
	for {
		before := r.run.Position
		err := r.deliver(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if sinkErr, ok := errors.AsType[*sinkError](err); ok {
			return sinkErr.err
		}
		if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
		if r.run.Position > before {
			wait = retryFirst
		}
		r.log.Warn("reading is interrupted, trying on", "stream", stream.Ticks, "seq", r.run.Position, "err", err)
		if pause(ctx, wait/2+rand.N(wait/2)) != nil {
			return nil
		}
		wait = min(2*wait, retryLongest)
		// Without this, what was missed would come in one burst.
		r.pacer.Restart()
	}
}

// deliver reads with one consumer. It returns nil at the end of the range.
//
// It is what the client's ordered consumer is, an ephemeral consumer without
// acknowledgements whose sequence is checked, but costs half of it per message
// and never has two goroutines in the handler.
func (r *Replay) deliver(ctx context.Context) error {
	consumer, err := r.js.CreateConsumer(ctx, stream.Ticks, r.consumerConfig())
	if err != nil {
		return fmt.Errorf("make consumer on %s: %w", stream.Ticks, err)
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	// What was on its way when the connection broke does not come again.
	lost := r.js.Conn().StatusChanged(nats.RECONNECTING, nats.CLOSED)
	defer r.js.Conn().RemoveStatusListener(lost)

	d := &delivery{ctx: ctx, replay: r, over: make(chan error, 1)}
	consuming, err := consumer.Consume(d.take, jetstream.PullMaxMessages(prefetch),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { d.finish(err) }))
	if err != nil {
		return fmt.Errorf("read from %s: %w", stream.Ticks, err)
	}
	select {
	case err = <-d.over:
	case <-ctx.Done():
	case status := <-lost:
		err = errLost
		if status == nats.CLOSED {
			err = nats.ErrConnectionClosed
		}
	}
	consuming.Stop()
	d.stop()
	return err
}

func (r *Replay) consumerConfig() jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		Name: stream.ReaderName("replay"), Description: "hands stored ticks on again",
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.run.Position + 1,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: consumerLife,
	}
	if !r.cfg.From.IsZero() && !r.began {
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &r.cfg.From
	}
	// Reading every subject costs half of what a filter that leaves out the few
	// clock marks would.
	for _, symbol := range r.cfg.Symbols {
		cfg.FilterSubjects = append(cfg.FilterSubjects, stream.TickFilter(symbol))
	}
	if len(r.cfg.Symbols) > 0 && r.cfg.ClockMarks {
		cfg.FilterSubjects = append(cfg.FilterSubjects, stream.AllClockMarks)
	}
	return cfg
}

// delivery is what one consumer delivers.
type delivery struct {
	ctx    context.Context
	replay *Replay
	over   chan error // the first outcome; nil is the end of the range

	mu       sync.Mutex // held while a message is handled
	stopped  bool
	sequence uint64 // the consumer's, of the last message
}

// take is the consumer's handler: one goroutine, one message after the other.
// The client does not look for heartbeats while it waits for a tick to be due.
func (d *delivery) take(msg jetstream.Msg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	if end, err := d.handle(msg); end || err != nil {
		d.stopped = true
		d.finish(err)
	}
}

// handle reports whether the range has ended.
func (d *delivery) handle(msg jetstream.Msg) (end bool, err error) {
	r := d.replay
	meta, err := msg.Metadata()
	if err != nil {
		return false, fmt.Errorf("read a message's place in %s: %w", stream.Ticks, err)
	}
	if d.sequence++; meta.Sequence.Consumer != d.sequence {
		return false, fmt.Errorf("message %d of the consumer came for %d: %w", meta.Sequence.Consumer, d.sequence, errLost)
	}
	if meta.Sequence.Stream > r.run.Last || !r.cfg.To.IsZero() && meta.Timestamp.After(r.cfg.To) {
		return true, nil
	}
	if err := r.handle(d.ctx, msg, meta); err != nil {
		return false, &sinkError{err}
	}
	return meta.NumPending == 0 || d.ctx.Err() != nil, nil
}

// finish ends the delivery; only the first outcome counts.
func (d *delivery) finish(err error) {
	select {
	case d.over <- err:
	default:
	}
}

// stop returns once no message is being handled, and none will be.
func (d *delivery) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
}
