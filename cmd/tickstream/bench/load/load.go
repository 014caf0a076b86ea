// Package load publishes ticks to Redis as a foreign process does: raw protocol
// over a socket, so that the load itself costs little of the machine.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Config of a [Load].
type Config struct {
	// RedisURL is redis://user:password@host:port. Required.
	RedisURL string
	// Channel to publish on. Required.
	Channel string
	// Symbols that take turns.
	Symbols int
	// Ticks to publish.
	Ticks int64
	// Rate in ticks a second; 0 for as fast as Redis takes them.
	Rate float64
	// Backlog is how many may be published and not yet stored; 0 for any number.
	// It takes Stored.
	Backlog int64
	// Stored is how many are stored by now.
	Stored func(context.Context) (int64, error)
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	var errs []error
	if c.Symbols < 1 || c.Symbols > 100_000 {
		errs = append(errs, fmt.Errorf("symbols is %d: give 1 to 100000", c.Symbols))
	}
	if c.Ticks < 1 || c.Ticks > MaxTicks {
		errs = append(errs, fmt.Errorf("ticks is %d: give 1 to %d", c.Ticks, int64(MaxTicks)))
	}
	if !(c.Rate >= 0) || c.Rate > 10_000_000 {
		errs = append(errs, fmt.Errorf("rate is %v: give ticks a second, or 0 for as fast as Redis takes them", c.Rate))
	}
	if c.Backlog < 0 || c.Backlog > 0 && c.Stored == nil {
		errs = append(errs, errors.New("a backlog is bounded only where one can ask how many are stored"))
	}
	return errors.Join(errs...)
}

// Result is what was published.
type Result struct {
	Ticks   int64   `json:"ticks"`
	Unheard int64   `json:"unheard"` // that Redis delivered to nobody
	Seconds float64 `json:"seconds"`
}

const (
	// slice is the longest time over which an even rate is published at once.
	slice = 500 * time.Microsecond
	// burst is how many commands go out in one write at full speed.
	burst = 512
	// stuckAfter ends a load that is not stored any further.
	stuckAfter = 30 * time.Second
)

// Run publishes all.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	conn, err := dial(ctx, cfg.RedisURL)
	if err != nil {
		return Result{}, err
	}
	defer conn.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { cancel(conn.readReplies()) }() // ends when the connection is closed

	l := &load{cfg: cfg, conn: conn, ticks: NewTicks(cfg.Symbols)}
	if cfg.Backlog > 0 {
		go func() { // ends with ctx
			if err := l.poll(ctx); err != nil {
				cancel(err)
			}
		}()
	}
	began := time.Now()
	for l.sent < cfg.Ticks && ctx.Err() == nil {
		if err := l.next(time.Since(began)); err != nil {
			cancel(err)
		}
	}
	for conn.replies.Load() < l.sent && ctx.Err() == nil {
		time.Sleep(slice)
	}
	result := Result{Ticks: conn.replies.Load(), Unheard: conn.unheard.Load(), Seconds: time.Since(began).Seconds()}
	if ctx.Err() != nil {
		return result, fmt.Errorf("publish ticks: %w", context.Cause(ctx))
	}
	return result, nil
}

type load struct {
	cfg    Config
	conn   *conn
	ticks  *Ticks
	sent   int64
	stored atomic.Int64
	tick   []byte
}

// next publishes what is due, or waits for a moment.
func (l *load) next(elapsed time.Duration) error {
	n := min(burst, l.cfg.Ticks-l.sent)
	if l.cfg.Rate > 0 {
		n = min(n, int64(l.cfg.Rate*elapsed.Seconds())+1-l.sent)
	}
	if l.cfg.Backlog > 0 {
		n = min(n, l.cfg.Backlog-(l.sent-l.stored.Load()))
	}
	if n <= 0 {
		time.Sleep(slice)
		return nil
	}
	now := time.Now()
	for range n {
		l.tick = l.ticks.Append(l.tick[:0], l.sent, now, now)
		l.conn.publish(l.cfg.Channel, l.tick)
		l.sent++
	}
	return l.conn.flush()
}

// pollEvery is short against the time that a backlog lasts.
const pollEvery = 5 * time.Millisecond

// poll keeps asking how many are stored.
func (l *load) poll(ctx context.Context) error {
	moved := time.Now()
	for ctx.Err() == nil {
		n, err := l.cfg.Stored(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			return fmt.Errorf("ask how many ticks are stored: %w", err)
		case n > l.stored.Load():
			l.stored.Store(n)
			moved = time.Now()
		case time.Since(moved) > stuckAfter:
			return fmt.Errorf("%d ticks are stored and no more come for %v: see the logs of the benchmark", n, stuckAfter)
		}
		time.Sleep(pollEvery)
	}
	return nil
}
