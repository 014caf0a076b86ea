package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
)

const (
	maxBatch = 1000 // ticks that share one round trip to Redis
	// quantum is the shortest wait: at high rates many ticks fall due in it.
	quantum      = time.Millisecond
	maxBehind    = time.Second // further behind, the schedule gives way
	batchTimeout = 5 * time.Second
	retryFirst   = 100 * time.Millisecond
	retryLongest = 5 * time.Second
)

// Counts is what a feed has done.
type Counts struct {
	// Sent were taken by Redis.
	Sent int64
	// Failed could not be handed to Redis and are not tried again, since Redis
	// may have passed them on.
	Failed int64
	// Malformed, Late, Duplicate and OutOfOrder are among Sent.
	Malformed, Late, Duplicate, OutOfOrder int64
	// Receivers is how many subscribers got the last tick.
	Receivers int64
	// Elapsed since the start.
	Elapsed time.Duration
}

// source gives ticks one after the other.
type source interface {
	// next is the following tick and when it is due; io.EOF after the last.
	next() (Tick, time.Time, error)
	// restart makes the following tick due at now, and the others after it.
	restart(now time.Time)
}

// Feed publishes ticks on a Redis channel.
type Feed struct {
	cfg    Config
	client redis.UniversalClient
	source source
	log    *slog.Logger

	mu      sync.Mutex
	counts  Counts
	started time.Time
}

// New makes a feed that publishes through client. The client should not retry
// by itself: a batch whose answer was lost would be published twice.
func New(cfg Config, client redis.UniversalClient, log *slog.Logger) (*Feed, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("feed settings: %w", err)
	}
	cfg = cfg.withDefaults()
	f := &Feed{cfg: cfg, client: client, log: log}
	if cfg.From != nil {
		recording, err := newRecording(cfg.From, cfg.Speed)
		f.source = recording
		return f, err
	}
	generator, err := NewGenerator(cfg)
	if err != nil {
		return nil, err
	}
	f.source = &schedule{generator: generator, rate: cfg.Rate}
	return f, nil
}

// Counts may be called while Run runs and after.
func (f *Feed) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := f.counts
	if counts.Elapsed == 0 && !f.started.IsZero() {
		counts.Elapsed = time.Since(f.started)
	}
	return counts
}

// Run publishes until ctx ends, the count or duration is reached, or the
// recording is over. Redis being away is waited for, and nothing that would
// have been due meanwhile is made up for.
func (f *Feed) Run(ctx context.Context) error {
	if f.cfg.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.cfg.Duration)
		defer cancel()
	}
	f.mu.Lock()
	f.started = time.Now()
	f.mu.Unlock()
	f.source.restart(f.started)
	defer func() {
		f.mu.Lock()
		f.counts.Elapsed = time.Since(f.started)
		f.mu.Unlock()
	}()
	var batch []Tick
	for taken := int64(0); ; {
		tick, due, err := Tick{}, time.Time{}, io.EOF
		if f.cfg.Count == 0 || taken < f.cfg.Count {
			tick, due, err = f.source.next()
		}
		if err != nil {
			f.publish(ctx, batch)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		taken++
		now := time.Now()
		if len(batch) >= maxBatch || len(batch) > 0 && due.After(now) {
			f.publish(ctx, batch)
			batch = batch[:0]
		}
		if !f.await(ctx, due, now) {
			return nil
		}
		batch = append(batch, tick)
	}
}

// await waits until due, and reports whether ctx is still alive.
func (f *Feed) await(ctx context.Context, due, now time.Time) bool {
	wait := due.Sub(now)
	if wait <= 0 {
		if -wait > maxBehind && !due.IsZero() {
			f.log.Warn("ticks are due faster than Redis takes them, leaving some out", "behind", -wait)
			f.source.restart(now)
		}
		return ctx.Err() == nil
	}
	timer := time.NewTimer(max(wait, quantum))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// publish hands a batch to Redis. If Redis is away it waits for it, and starts
// the schedule anew.
func (f *Feed) publish(ctx context.Context, batch []Tick) {
	if len(batch) == 0 {
		return
	}
	// A batch on its way is finished even if the feed is to stop.
	batchCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	node, err := bus.ChannelNode(batchCtx, f.client, f.cfg.Channel)
	var commands []redis.Cmder
	if err == nil {
		commands, err = node.Pipelined(batchCtx, func(pipe redis.Pipeliner) error {
			for _, tick := range batch {
				pipe.Publish(batchCtx, f.cfg.Channel, tick.Payload)
			}
			return nil
		})
	}
	f.count(batch, commands)
	if err == nil {
		return
	}
	f.log.Warn("ticks could not be published, waiting for Redis", "ticks", len(batch), "err", err)
	if f.awaitRedis(ctx) {
		f.log.Info("Redis takes ticks again")
	}
	f.source.restart(time.Now())
}

// count adds what became of each tick; without commands all have failed.
func (f *Feed) count(batch []Tick, commands []redis.Cmder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, tick := range batch {
		published, ok := redis.Cmder(nil), i < len(commands)
		if ok {
			published = commands[i]
		}
		reply, isInt := published.(*redis.IntCmd)
		if !isInt || reply.Err() != nil {
			f.counts.Failed++
			continue
		}
		f.counts.Sent++
		f.counts.Receivers = reply.Val()
		switch tick.Kind {
		case Malformed:
			f.counts.Malformed++
		case Late:
			f.counts.Late++
		case Duplicate:
			f.counts.Duplicate++
		case OutOfOrder:
			f.counts.OutOfOrder++
		}
	}
}

// awaitRedis reports whether Redis answers again before ctx ends.
func (f *Feed) awaitRedis(ctx context.Context) bool {
	for wait := retryFirst; ; wait = min(2*wait, retryLongest) {
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
		if f.client.Ping(ctx).Err() == nil {
			return true
		}
	}
}
