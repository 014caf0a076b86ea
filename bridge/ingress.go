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
	names     *alignment
	backlog   *backlog
	publisher *publisher
	rejecter  *rejecter
	turn      *turn
	gaps      chan missed
	damaged   int64       // bytes of the spool that could not be read
	prepared  atomic.Bool // the streams and buckets were there once
}

// errDrain comes from Run when JetStream did not take all in time.
var errDrain = errors.New("stopped before all that was read was stored")

// NewIngress makes an ingress. Streams that are missing are made as streams
// says once JetStream answers; until then ticks wait in memory, or in disk where
// it is not nil, which the caller opens by [OpenSpool] and closes.
func NewIngress(cfg Config, client redis.UniversalClient, js jetstream.JetStream, streams stream.Config, disk *Spool, log *slog.Logger) (*Ingress, error) {
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
		cfg: cfg, js: js, streams: streams, log: log,
		names: newAlignment(), gaps: make(chan missed, gapBacklog),
	}
	found := Spool{}
	if disk != nil {
		found, i.names, i.damaged = *disk, disk.names, disk.damaged
	}
	i.backlog = newBacklog(cfg.MaxQueueBytes, found.spool, i.names, log)
	i.backlog.settled, i.backlog.report = found.behind, i.reportGap
	switch cfg.Source {
	case Stream:
		i.source = newRedisStream(client, cfg, log)
	default:
		i.source = newPubSub(client, cfg, i.names, log)
	}
	if i.turn, err = newTurn(cfg, i.leases, log); err != nil {
		return nil, err
	}
	prefix := cfg.Instance + "."
	appenderOf := func(name string) *appender {
		a := newAppender(js, name, cfg, i.turn.awaitLease, i.prepareStreams, name == stream.Ticks, log)
		a.rename, a.heard = i.names.own, func(id string) bool { return i.names.locate(id) != position{} }
		return a
	}
	i.rejecter = newRejecter(appenderOf(stream.Rejects), cfg.Channel, prefix, i.names, i.source.settle, log)
	i.publisher = &publisher{
		cfg: cfg, backlog: i.backlog, names: i.names, decoder: decoder, symbols: newSymbols(cfg), turn: i.turn,
		rejecter: i.rejecter, appender: appenderOf(stream.Ticks), settle: i.source.settle, admit: i.turn.awaitLease,
		covered: i.covered, report: i.reportGap, lastMark: i.lastMark, listened: i.reportDowntime, log: log, prefix: prefix,
	}
	if found.waiting > 0 {
		i.publisher.unreconciled, i.publisher.unreconciledTo = true, i.names.heardLast()
	}
	return i, nil
}

// Run reads until ctx ends, then stores what was read and returns. While
// another bridge stores what the same source says it stands by. It returns an
// error where not all could be stored, or spooled, within the drain timeout, or
// where the streams cannot be used ([stream.ErrConflict]).
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
		defer i.backlog.close()
		return i.read(reading)
	})
	group.Go(func() error { // ends when the backlog is closed and empty
		defer i.rejecter.done()
		if err := i.prepareStreams(storing); err != nil {
			return err
		}
		i.learnSymbols(storing)
		return i.publisher.run(storing)
	})
	group.Go(func() error { i.backlog.runSpooler(storing); return nil }) // ends with storing
	group.Go(func() error {                                              // ends when the publisher has
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
	i.publisher.appender.close()
	i.rejecter.appender.close()
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

// read reads the source until ctx ends: a channel at all times, for what it says
// is gone a moment later, and a stream when it is this bridge's turn.
func (i *Ingress) read(ctx context.Context) error {
	if i.cfg.Source == PubSub {
		return i.source.run(ctx, i.backlog) //nolint:wrapcheck // it says what it did
	}
	for {
		term, err := i.turn.awaitTerm(ctx)
		if err != nil {
			return nil //nolint:nilerr // ctx has ended
		}
		i.backlog.begin(term)
		during, end := i.turn.during(ctx, term)
		err = i.source.run(during, i.backlog)
		end()
		if err != nil || ctx.Err() != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		i.backlog.clear()
		i.source.forget()
		i.log.Warn("another bridge took over")
	}
}

// learnSymbols is worth a warning at most: without it the cap begins anew.
func (i *Ingress) learnSymbols(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.DrainTimeout)
	defer cancel()
	if err := i.publisher.symbols.learn(ctx, i.js); err != nil {
		i.log.Warn("cannot tell which symbols are known", "err", err)
	}
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
	waiting := i.backlog.depth()
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
		Symbols:          i.publisher.symbols.count.Load(),
		Shed:             waiting.shed,
		QueuedTicks:      waiting.ticks,
		QueuedBytes:      waiting.bytes,
		SpooledTicks:     waiting.spooledTicks,
		SpooledBytes:     waiting.spooledBytes,
		SpoolMaxBytes:    waiting.maxSpooledBytes,
		SpoolDamaged:     i.damaged,
		SpoolFailure:     waiting.failure,
		ClockOffMs:       i.source.clockOff().Milliseconds(),
		PublishFailures:  i.publisher.appender.retries.Load() + i.rejecter.appender.retries.Load(),
		PublishBlockedMs: blocked.Milliseconds(),
	}
}
