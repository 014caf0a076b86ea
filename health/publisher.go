package health

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tickstock/tickstream/health/session"
	"golang.org/x/sync/errgroup"
)

// publisher brings what is so to one bus. It works from the newest state alone:
// what could not be sent in time is superseded, and each kind of event is the
// difference between what this bus was told and what holds. Two publishers
// share no lock that is held over IO.
type publisher struct {
	bus     bus
	monitor *Monitor
	reach   *reach
	log     *slog.Logger
	// repeat is how often the session is told again; 0 where the bus remembers.
	repeat time.Duration

	wake     chan struct{} // there is something new
	leading  atomic.Bool
	sent     atomic.Uint64 // the newest event that the bus took
	floor    atomic.Uint64 // events up to this one belong to whoever led before
	newcomer atomic.Bool   // somebody began to listen
	stale    atomic.Bool   // the bus holds another session than ours

	mu      sync.Mutex
	counts  []int64   // of listeners
	alerts  alertSet  // that the bus was told of
	ledTill time.Time // when this process last led; its own start before that
	ledFrom time.Time // when it last began to
}

// tenure is what one time of leading remembers.
type tenure struct {
	repeat    bool // listeners may have missed what others told
	told      session.Record
	saved     session.Record
	published uint64
	announced time.Time
}

// notify wakes the publisher; it never waits.
func (p *publisher) notify() {
	select {
	case p.wake <- struct{}{}:
	default: // awake already
	}
}

// run looks at the bus and publishes on it until ctx ends.
func (p *publisher) run(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { p.poll(groupCtx); return nil }) // ends with ctx
	group.Go(func() error {                                 // ends with ctx
		return p.bus.campaign(groupCtx, func(leadCtx context.Context) error { //nolint:contextcheck // the campaign's
			p.lead(leadCtx)
			if ctx.Err() != nil {
				p.farewell(ctx)
			}
			return nil
		})
	})
	return group.Wait() //nolint:wrapcheck // the bus has named itself
}

// lead publishes until ctx, and with it the lease, ends.
func (p *publisher) lead(ctx context.Context) {
	loop := p.bus.name() + " publication"
	defer p.monitor.beats.end(loop)
	defer p.reach.forget(checkWrite)
	t, ok := p.takeUp(ctx)
	if !ok {
		return
	}
	defer p.bus.serve(ctx)()
	measured := p.measure(ctx)
	p.mu.Lock()
	p.ledFrom = time.Now()
	p.mu.Unlock()
	p.floor.Store(p.monitor.outdated(measured))
	p.leading.Store(true)
	defer p.leading.Store(false)
	p.monitor.stir()
	for ctx.Err() == nil {
		p.monitor.beats.beat(loop)
		wait := time.Second
		tried, err := p.work(ctx, t)
		if ctx.Err() != nil {
			return
		}
		if tried {
			p.reach.note(checkWrite, err)
		}
		if err != nil {
			wait = retryPeriod
		}
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-time.After(wait):
		}
	}
}

// takeUp begins a tenure with what the bus holds, for that is what listeners
// were told, and with who listens already. Whoever has not read that must not
// decide on the session, so it tries until it has; false means that ctx ended.
func (p *publisher) takeUp(ctx context.Context) (*tenure, bool) {
	for {
		p.monitor.beats.beat(p.bus.name() + " publication")
		t, err := p.begin(ctx)
		if ctx.Err() != nil {
			return nil, false
		}
		if err == nil {
			return t, true
		}
		p.reach.note(checkWrite, err)
		select {
		case <-ctx.Done():
			return nil, false
		case <-time.After(retryPeriod):
		}
	}
}

// measure has the first event of a tenure on NATS tell what is so now: if NATS
// was away, what was measured last was so before that.
func (p *publisher) measure(ctx context.Context) (measured bool) {
	if p != p.monitor.nats {
		return false
	}
	select {
	case <-p.monitor.prepared:
	default:
		return false // the monitor is just about to
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if _, err := p.monitor.deps.Observer.Measure(ctx); err != nil {
		p.log.Debug("not measured before the first health event on "+p.bus.name(), "err", err)
		return false
	}
	return true
}

// ledFor is how long this process leads; meaningless if it does not.
func (p *publisher) ledFor() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.ledFrom)
}

func (p *publisher) begin(ctx context.Context) (*tenure, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	stored, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	listeners, err := p.bus.listeners(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // the bus has named itself
	}
	p.counted(listeners)
	p.newcomer.Store(false) // all of these hear what follows
	p.monitor.adopt(stored)
	return &tenure{repeat: true, told: stored, saved: stored}, nil
}

// work sends all that is due, and reports whether anything was. One kind that
// fails does not hold back the others.
func (p *publisher) work(ctx context.Context, t *tenure) (tried bool, err error) {
	u := p.monitor.latest.Load()
	if u == nil || u.seq <= p.floor.Load() {
		return false, nil // the first event of our own is being made
	}
	came := p.newcomer.Swap(false)
	told, sessionErr := p.sendSession(ctx, t, came)
	sent, healthErr := p.sendHealth(ctx, t, u, came)
	alerted, alertErr := p.sendAlerts(ctx)
	if came && (sessionErr != nil || healthErr != nil) {
		p.newcomer.Store(true)
	}
	return told || sent || alerted, errors.Join(sessionErr, healthErr, alertErr)
}
