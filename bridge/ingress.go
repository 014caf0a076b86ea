package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
	"golang.org/x/sync/errgroup"
)

// Ingress reads ticks from Redis and stores each in TICKS exactly once, in the
// order of the source; what is no tick goes to REJECTS.
type Ingress struct {
	cfg       Config
	js        jetstream.JetStream
	streams   stream.Config
	log       *slog.Logger
	source    source
	queue     *queue
	publisher *publisher
	rejecter  *rejecter
	turn      *turn
	gaps      chan termGap
	prepared  atomic.Bool // the streams and buckets were there once

	// surveyed is the term for which was looked how long no bridge listened;
	// the publisher's own.
	surveyed int64
}

// errDrain comes from Run when JetStream did not take all in time.
var errDrain = errors.New("stopped before all that was read was stored")

// NewIngress makes an ingress. Streams that are missing are made as streams
// says once JetStream answers; until then ticks wait in memory.
func NewIngress(cfg Config, client redis.UniversalClient, js jetstream.JetStream, streams stream.Config, log *slog.Logger) (*Ingress, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bridge settings: %w", err)
	}
	cfg = cfg.withDefaults()
	decoder, err := tick.NewDecoder(cfg.Limits)
	if err != nil {
		return nil, fmt.Errorf("bridge settings: %w", err)
	}
	if err := streams.Validate(); err != nil {
		return nil, fmt.Errorf("stream settings: %w", err)
	}
	i := &Ingress{
		cfg: cfg, js: js, streams: streams, log: log, surveyed: -1,
		queue: newQueue(cfg.MaxQueueBytes), gaps: make(chan termGap, gapBacklog),
	}
	switch cfg.Source {
	case Stream:
		i.source = newRedisStream(client, cfg, log)
	default:
		i.source = newPubSub(client, cfg, i.reportGap, log)
	}
	if i.turn, err = newTurn(cfg, i.leases, log); err != nil {
		return nil, err
	}
	prefix := cfg.Instance + "."
	appenderOf := func(name string) *appender {
		return newAppender(js, name, cfg, i.turn.awaitLease, i.prepareStreams, log)
	}
	i.rejecter = newRejecter(appenderOf(stream.Rejects), cfg.Channel, prefix, i.source.settle, log)
	i.publisher = &publisher{
		cfg: cfg, queue: i.queue, decoder: decoder, rejecter: i.rejecter, appender: appenderOf(stream.Ticks),
		settle: i.source.settle, admit: i.admit, prefix: prefix,
	}
	return i, nil
}

// Run reads until ctx ends, then stores what was read and returns. While
// another bridge reads the same source it stands by. It returns an error where
// not all could be stored within the drain timeout, or where the streams cannot
// be used ([stream.ErrConflict]).
func (i *Ingress) Run(ctx context.Context) error {
	// Storing outlives reading, so that a stop loses nothing, and the lease
	// outlives both.
	lasting := context.WithoutCancel(ctx)
	storing, abandon := context.WithCancel(lasting)
	defer abandon()
	campaigning, retire := context.WithCancel(lasting)
	var campaign errgroup.Group
	campaign.Go(func() error { return i.turn.run(campaigning) }) // ends with retire

	read, stored := make(chan struct{}), make(chan struct{})
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error { // ends with ctx, or with the first error below
		defer close(read)
		defer i.queue.close()
		return i.read(reading)
	})
	group.Go(func() error { // ends when the queue is closed and empty
		defer i.rejecter.done()
		if err := i.prepareStreams(storing); err != nil {
			return err
		}
		return i.publisher.run(storing)
	})
	group.Go(func() error { // ends when the publisher has
		defer close(stored)
		return i.rejecter.run(storing)
	})
	group.Go(func() error { // ends with the two above
		<-read
		i.drain(stored)
		abandon()
		return nil
	})
	group.Go(func() error { i.publishGaps(reading); return nil }) // ends with ctx
	err := group.Wait()
	i.source.finish(lasting)
	retire()
	err = errors.Join(err, campaign.Wait())
	if errors.Is(err, context.Canceled) {
		ticks, rejects := i.outstanding()
		if ticks+rejects == 0 {
			return nil
		}
		return fmt.Errorf("%d ticks and %d rejects: %w: JetStream did not take them within %v", ticks, rejects, errDrain, i.cfg.DrainTimeout)
	}
	return err
}

// read reads the source whenever it is this bridge's turn, until ctx ends.
func (i *Ingress) read(ctx context.Context) error {
	for {
		term, err := i.turn.awaitTerm(ctx, i.cfg.Source)
		if err != nil {
			return nil //nolint:nilerr // ctx has ended
		}
		i.queue.begin(term)
		during, end := i.turn.during(ctx, term)
		err = i.source.run(during, i.queue)
		end()
		if err != nil || ctx.Err() != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		ticks, _ := i.outstanding()
		i.queue.clear()
		i.source.forget()
		i.log.Warn("another bridge took over, giving up what was read and not stored", "ticks", ticks)
	}
}

// admit waits until what was read in a term may be stored. For the first of a
// term it looks how long no bridge listened before.
func (i *Ingress) admit(ctx context.Context, term int64) error {
	if err := i.turn.awaitLease(ctx, term); err != nil {
		return err
	}
	if i.surveyed == term {
		return nil
	}
	i.surveyed = term
	if watermark, err := i.lastMark(ctx); err != nil {
		i.log.Warn("cannot tell since when no bridge listened", "err", err)
	} else if !watermark.IsZero() {
		i.source.resume(watermark.Add(i.cfg.Lateness))
	}
	return nil
}

// leases is the bucket of the lease, made again where somebody deleted it.
func (i *Ingress) leases(ctx context.Context) (jetstream.KeyValue, error) {
	ctx, cancel := whileConnected(ctx, i.js.Conn())
	defer cancel()
	bucket, err := i.js.KeyValue(ctx, stream.LeasesBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && i.prepared.Load() {
		if _, err := stream.Ensure(ctx, i.js, i.streams, i.log); err != nil {
			return nil, fmt.Errorf("make the buckets again: %w", err)
		}
		bucket, err = i.js.KeyValue(ctx, stream.LeasesBucket)
	}
	if err != nil {
		return nil, fmt.Errorf("look up bucket %s: %w", stream.LeasesBucket, err)
	}
	return bucket, nil
}

// prepareStreams waits for JetStream and makes what is missing there.
func (i *Ingress) prepareStreams(ctx context.Context) error {
	for {
		if err := awaitConnection(ctx, i.js.Conn()); err != nil {
			return err
		}
		connected, cancel := whileConnected(ctx, i.js.Conn())
		layout, err := stream.Await(connected, i.js, i.streams, i.log)
		lost := errors.Is(context.Cause(connected), errDisconnected)
		cancel()
		if err == nil {
			i.publisher.partitions.Store(int64(layout.Partitions))
			i.prepared.Store(true)
			return nil
		}
		if !lost || ctx.Err() != nil {
			return fmt.Errorf("prepare streams: %w", err)
		}
	}
}

// Report is what only the bridge knows, for its presence.
func (i *Ingress) Report() *presence.Bridge {
	state := i.source.state()
	ticks, bytes, shed := i.queue.depth()
	standing, _, _ := i.turn.now()
	blocked := max(i.publisher.appender.blockedFor(time.Now()), i.rejecter.appender.blockedFor(time.Now()))
	return &presence.Bridge{
		Source:           i.cfg.Channel,
		Subscribed:       state.subscribed,
		State:            standing.state(),
		Subscriptions:    state.subscriptions,
		FailedConnects:   state.failedConnects,
		Gaps:             state.gaps,
		Received:         state.received,
		Stored:           i.publisher.stored.Load(),
		Rejected:         i.rejecter.totals(),
		Shed:             shed,
		QueuedTicks:      ticks,
		QueuedBytes:      bytes,
		PublishFailures:  i.publisher.appender.retries.Load() + i.rejecter.appender.retries.Load(),
		PublishBlockedMs: blocked.Milliseconds(),
	}
}
