package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
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
	gaps      chan event.Gap
}

// errDrain comes from Run when JetStream did not take all in time.
var errDrain = errors.New("stopped before all that was read was stored")

// gapBacklog is how many gaps wait for JetStream at most; more in one outage
// are logged and counted only.
const gapBacklog = 1024

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
		cfg: cfg, js: js, streams: streams, log: log,
		queue: newQueue(cfg.MaxQueueBytes), gaps: make(chan event.Gap, gapBacklog),
	}
	switch cfg.Source {
	case Stream:
		i.source = newRedisStream(client, cfg, log)
	default:
		i.source = newPubSub(client, cfg, i.reportGap, log)
	}
	prefix := cfg.Instance + "."
	i.rejecter = newRejecter(newAppender(js, stream.Rejects, cfg, i.prepareStreams, log), cfg.Channel, prefix, i.source.settle, log)
	i.publisher = &publisher{
		cfg: cfg, queue: i.queue, decoder: decoder, rejecter: i.rejecter,
		appender: newAppender(js, stream.Ticks, cfg, i.prepareStreams, log),
		settle:   i.source.settle, prefix: prefix,
	}
	return i, nil
}

// Run reads until ctx ends, then stores what was read and returns. It returns
// an error where not all could be stored within the drain timeout, or where
// the streams cannot be used ([stream.ErrConflict]).
func (i *Ingress) Run(ctx context.Context) error {
	// Storing outlives reading, so that a stop loses nothing.
	storing, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()

	var drain *time.Timer
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error { // ends with ctx, or with the first error below
		defer i.queue.close()
		err := i.source.run(reading, i.queue)
		drain = time.AfterFunc(i.cfg.DrainTimeout, abandon)
		return err
	})
	group.Go(func() error { // ends when the queue is closed and empty
		defer i.rejecter.done()
		return i.store(storing)
	})
	group.Go(func() error { return i.rejecter.run(storing) })     // ends when the publisher has
	group.Go(func() error { i.publishGaps(reading); return nil }) // ends with ctx
	err := group.Wait()
	drain.Stop()
	i.source.finish(storing)
	if errors.Is(err, context.Canceled) {
		ticks, _, _ := i.queue.depth()
		return fmt.Errorf("%d ticks: %w: JetStream did not take them within %v", ticks+i.publisher.held.Load(), errDrain, i.cfg.DrainTimeout)
	}
	return err
}

// store makes sure of the streams, looks how long no bridge listened, and then
// stores what is read.
func (i *Ingress) store(ctx context.Context) error {
	if err := i.prepareStreams(ctx); err != nil {
		return err
	}
	if watermark, err := i.lastMark(ctx); err != nil {
		i.log.Warn("cannot tell since when no bridge listened", "err", err)
	} else if !watermark.IsZero() {
		i.source.resume(watermark.Add(i.cfg.Lateness))
	}
	return i.publisher.run(ctx)
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
	blocked := max(i.publisher.appender.blockedFor(time.Now()), i.rejecter.appender.blockedFor(time.Now()))
	return &presence.Bridge{
		Source:           i.cfg.Channel,
		Subscribed:       state.subscribed,
		Subscriptions:    state.subscriptions,
		FailedConnects:   state.failedConnects,
		Gaps:             state.gaps,
		Received:         state.received,
		Stored:           i.publisher.stored.Load(),
		Rejected:         i.rejecter.totals(),
		Shed:             shed,
		QueuedTicks:      ticks + i.publisher.held.Load(),
		QueuedBytes:      bytes + i.publisher.bytes.Load(),
		PublishFailures:  i.publisher.appender.retries.Load() + i.rejecter.appender.retries.Load(),
		PublishBlockedMs: blocked.Milliseconds(),
	}
}

// reportGap hands a gap over to be published; it never waits.
func (i *Ingress) reportGap(from, to time.Time, reason string) {
	i.log.Warn("subscription gap", "channel", i.cfg.Channel, "from", from.UTC(), "to", to.UTC(), "duration", to.Sub(from), "reason", reason)
	select {
	case i.gaps <- event.NewGap(i.cfg.Instance, i.cfg.Channel, from, to, reason):
	default:
	}
}

// publishGaps publishes gaps until ctx ends; each waits for JetStream.
func (i *Ingress) publishGaps(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case gap := <-i.gaps:
			wait := newBackoff()
			for i.publishGap(ctx, gap) != nil && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(wait.NextBackOff()):
				}
			}
		}
	}
}

func (i *Ingress) publishGap(ctx context.Context, gap event.Gap) error {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.PublishTimeout)
	defer cancel()
	data, err := json.Marshal(gap)
	if err != nil {
		return fmt.Errorf("encode gap: %w", err)
	}
	id := fmt.Sprintf("gap-%s-%d", gap.Instance, gap.From.UnixMilli())
	if _, err := i.js.Publish(ctx, stream.HealthGap, data, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("publish gap: %w", err)
	}
	return nil
}
