package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// pingInterval is how often a subscription is asked for a sign of life. Redis
// answers a ping behind what it sent before, so an answer proves that all that
// was published before the ping has been read.
const pingInterval = time.Second

// pubsub reads a Redis channel. The loop that reads does nothing else, because
// Redis disconnects a subscriber that is slow.
type pubsub struct {
	connection
	client redis.UniversalClient
	cfg    Config
	names  *alignment
	log    *slog.Logger

	dials    *dials
	clock    *clock
	made     time.Time
	lastSign atomic.Int64 // of the last message or pong, as ns since made: a clock that is stepped ends no subscription
	into     *backlog

	mu        sync.Mutex
	began     time.Time // when this process subscribed first
	earlierAt time.Time // until when an earlier bridge listened
}

var _ source = (*pubsub)(nil)

func newPubSub(client redis.UniversalClient, cfg Config, names *alignment, log *slog.Logger) *pubsub {
	return &pubsub{client: client, cfg: cfg, names: names, log: log, dials: watchDials(client), clock: newClock(log), made: time.Now()}
}

// run subscribes, and subscribes again whenever the subscription ends.
func (p *pubsub) run(ctx context.Context, into *backlog) error {
	p.mu.Lock()
	p.into = into
	p.mu.Unlock()
	var lost error
	p.keep(ctx, p.log.With("channel", p.cfg.Channel), func(connected func()) error {
		lost = p.listen(ctx, into, lost, connected)
		return lost
	})
	return nil
}

// listen is the life of one subscription. It returns the error that ended it.
func (p *pubsub) listen(ctx context.Context, into *backlog, lost error, connected func()) error {
	sub := p.client.Subscribe(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	closed := make(chan struct{})
	defer close(closed)
	defer func() { _ = sub.Close() }() // the connection is given up either way

	if err := p.subscribe(ctx, sub); err != nil {
		return err
	}
	now := time.Now()
	course := newCourse(p.names, into)
	if before := p.lastSign.Swap(p.sinceMade(now)); before != 0 {
		// Both ends by one clock, so that its length is right.
		to := p.clock.now()
		from := to.Add(time.Duration(before - p.sinceMade(now)))
		course.add(message{receivedAt: now, gap: &missed{From: from, To: to, Reason: gapReason(lost)}})
	} else {
		p.reportDowntime(func() { p.began = now })
	}
	// What was read ahead is parsed long after it came; a gap begins when
	// nothing came any more.
	if ahead := p.dials.latest.Load(); ahead != nil {
		defer func() { p.lastSign.Store(p.sinceMade(ahead.heardAt())) }()
	}
	p.begin()
	connected()
	p.log.Info("subscribed", "channel", p.cfg.Channel)

	// Both end when closed is closed or ctx ends; the first then ends the read.
	helpers.Go(func() { p.keepAlive(ctx, sub, closed) })
	helpers.Go(func() { p.sendBeats(ctx, course, closed) })
	defer course.end()
	reading := context.WithoutCancel(ctx) // up to the answer to unsubscribe
	for {
		reply, err := sub.Receive(reading)
		if err != nil {
			return fmt.Errorf("read from %s: %w", p.cfg.Channel, err)
		}
		p.lastSign.Store(p.sinceMade(time.Now()))
		now := p.clock.latest()
		switch reply := reply.(type) {
		case *redis.Message:
			if reply.Channel != p.cfg.Channel {
				course.beat(reply.Payload)
				continue
			}
			p.received.Add(1)
			course.add(p.message(reply.Payload, now))
		case *redis.Pong:
			if asked, err := strconv.ParseInt(reply.Payload, 10, 64); err == nil && asked != 0 {
				course.add(message{watermark: time.Unix(0, asked).Add(-p.cfg.Lateness), receivedAt: now})
			}
		case *redis.Subscription:
			if reply.Kind == "unsubscribe" {
				return nil // as asked: all that was sent to us is read
			}
			// go-redis connected anew by itself: something may be missed.
			return fmt.Errorf("read from %s: connection was replaced", p.cfg.Channel)
		}
	}
}

func (p *pubsub) sinceMade(at time.Time) int64 { return int64(max(at.Sub(p.made), 1)) }

// subscribe joins the channel, and that of the beats.
func (p *pubsub) subscribe(ctx context.Context, sub *redis.PubSub) error {
	for _, channel := range []string{beatChannel(p.cfg.Channel), p.cfg.Channel} {
		if err := sub.Subscribe(ctx, channel); err != nil {
			return fmt.Errorf("subscribe to %s: %w", channel, err)
		}
		for confirmed := false; !confirmed; {
			reply, err := sub.ReceiveTimeout(ctx, p.cfg.SilenceTimeout)
			if err != nil {
				return fmt.Errorf("subscribe to %s: %w", channel, err)
			}
			switch reply := reply.(type) {
			case *redis.Message: // a beat, before there is anything to place by it
			case *redis.Subscription:
				if reply.Kind != "subscribe" {
					return fmt.Errorf("subscribe to %s: Redis answered %v", channel, reply)
				}
				confirmed = true
			default:
				return fmt.Errorf("subscribe to %s: Redis answered %v", channel, reply)
			}
		}
	}
	return nil
}

// message is a tick as it came; what is too large for one is cut at once.
func (p *pubsub) message(payload string, now time.Time) message {
	m := message{payload: payload, receivedAt: now}
	if limit := p.cfg.Limits.PayloadLimit(); len(payload) > limit {
		m.reason, m.detail = string(tick.PayloadTooLarge), fmt.Sprintf("%d bytes, at most %d", len(payload), limit)
		m.cut()
	}
	return m
}

// keepAlive pings, and closes a subscription that does not answer. When ctx
// ends it unsubscribes, so that the reader ends behind the last message that
// Redis sent. A ping that carries the time asks for a clock mark.
func (p *pubsub) keepAlive(ctx context.Context, sub *redis.PubSub, closed <-chan struct{}) {
	defer func() { _ = sub.Close() }()
	marks := newMarkSchedule(p.cfg.MarkInterval, p.cfg.Lateness)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			p.unsubscribe(context.WithoutCancel(ctx), sub, closed)
			return
		case <-closed:
			return
		case <-timer.C:
		}
		now := time.Now()
		if now.Sub(p.made.Add(time.Duration(p.lastSign.Load()))) > p.cfg.SilenceTimeout {
			return
		}
		payload := "0"
		believed := p.clock.now()
		if marks.due(believed) {
			payload = strconv.FormatInt(believed.UnixNano(), 10)
		}
		pingCtx, cancel := context.WithTimeout(ctx, pingInterval)
		err := sub.Ping(pingCtx, payload)
		cancel()
		if err != nil {
			return
		}
		timer.Reset(min(pingInterval, marks.untilNext(believed)))
	}
}

// unsubscribe asks Redis to end, and waits until the reader has come to the
// answer, Redis counts as gone, or half the drain timeout is over.
func (p *pubsub) unsubscribe(ctx context.Context, sub *redis.PubSub, closed <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.DrainTimeout/2)
	defer cancel()
	if err := sub.Unsubscribe(ctx, p.cfg.Channel); err != nil {
		return
	}
	asked := time.Now()
	check := time.NewTicker(pingInterval / 10)
	defer check.Stop()
	for {
		select {
		case <-closed:
			return
		case <-ctx.Done():
			return
		case now := <-check.C:
			sign := p.made.Add(time.Duration(p.lastSign.Load()))
			if sign.Before(asked) {
				sign = asked
			}
			if now.Sub(sign) > p.cfg.SilenceTimeout {
				return
			}
		}
	}
}

// settle has nothing to tell a channel.
func (p *pubsub) settle(context.Context, []message) {}

// newBackoff waits 50 ms at first and 250 to 500 ms at most, with jitter: an
// outage costs hardly more than it lasts.
func newBackoff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = 50 * time.Millisecond
	b.MaxInterval = 375 * time.Millisecond
	b.RandomizationFactor = 1.0 / 3
	return b
}

// resume reports that no bridge listened between until and our beginning.
func (p *pubsub) resume(until time.Time) {
	p.reportDowntime(func() { p.earlierAt = until })
}

// reportDowntime reports the gap between an earlier bridge and this one once
// both its ends are known, whichever comes first.
func (p *pubsub) reportDowntime(learn func()) {
	p.mu.Lock()
	learn()
	from, to, into := p.earlierAt, p.began, p.into
	p.mu.Unlock()
	if !from.IsZero() && to.After(from) {
		into.put(message{receivedAt: to, gap: &missed{From: from, To: to, Reason: "no bridge was running"}})
	}
}

// clockOff is how far the system's clock was stepped.
func (p *pubsub) clockOff() time.Duration { return p.clock.off() }

// forget has nothing to do: a channel is read at all times.
func (p *pubsub) forget() {}

// finish has nothing to tell a channel.
func (p *pubsub) finish(context.Context) {}

// gapReason says why nothing was read, in a few words.
func gapReason(lost error) string {
	if cause := errors.Unwrap(lost); cause != nil {
		return cause.Error()
	}
	return "subscription ended"
}
