package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/stream"
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
	floor    atomic.Uint64 // events up to this one belong to whoever led before
	newcomer atomic.Bool   // somebody began to listen
	stale    atomic.Bool   // the bus holds another session than ours

	mu      sync.Mutex
	counts  []int64   // of listeners
	alerts  alertSet  // that the bus was told of
	ledTill time.Time // when this process last led; its own start before that
}

// tenure is what one time of leading remembers.
type tenure struct {
	loaded    bool
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

// poll looks at what the bus holds and who listens on it.
func (p *publisher) poll(ctx context.Context) {
	select { // the first look at the bus is the monitor's
	case <-p.monitor.prepared:
	case <-ctx.Done():
		return
	}
	loop := p.bus.name() + " poll"
	defer p.monitor.beats.end(loop)
	ticker := time.NewTicker(pollPeriod)
	defer ticker.Stop()
	for {
		p.monitor.beats.beat(loop)
		err := p.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.counted(nil) // whoever listens after this may have missed something
		}
		p.reach.note(checkRead, err)
		p.follow()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (p *publisher) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	stored, err := p.load(ctx)
	if err != nil {
		return err
	}
	p.monitor.adopt(stored)
	if !stored.Same(p.monitor.keeper.Current()) {
		p.stale.Store(true)
		p.notify()
	}
	listeners, err := p.bus.listeners(ctx)
	if err != nil {
		return err //nolint:wrapcheck // the bus has named itself
	}
	if p.counted(listeners) {
		p.newcomer.Store(true)
		p.notify()
	}
	return nil
}

// counted takes the numbers of listeners and reports whether one has grown.
func (p *publisher) counted(listeners []int64) (grown bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, n := range listeners {
		if n > 0 && (i >= len(p.counts) || n > p.counts[i]) {
			grown = true
		}
	}
	p.counts = listeners
	return grown
}

// load is the stored session; what is none counts as nothing stored.
func (p *publisher) load(ctx context.Context) (session.Record, error) {
	stored, err := p.bus.session().Load(ctx)
	if errors.Is(err, session.ErrInvalid) {
		p.log.Debug("stored session ignored", "err", err)
		return session.Record{}, nil
	}
	if err != nil {
		return session.Record{}, fmt.Errorf("load session: %w", err)
	}
	return stored, nil
}

// follow keeps up with what another process tells while it leads, for the time
// when this one takes over.
func (p *publisher) follow() {
	reach, now := p.reach.get(), p.monitor.cfg.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leading.Load() {
		p.ledTill = now
		return
	}
	free := p.ledTill
	if reach.Since.After(free) {
		free = reach.Since
	}
	// The lease of a bus that works is not free for longer than this.
	if reach.OK && now.Sub(free) > 2*stream.LeaseTTL {
		p.alerts = p.monitor.alerts().before(now.Add(-settleTime))
	}
}

// lead publishes until ctx, and with it the lease, ends.
func (p *publisher) lead(ctx context.Context) {
	loop := p.bus.name() + " publication"
	t := &tenure{repeat: true}
	p.floor.Store(p.monitor.outdated())
	p.leading.Store(true)
	p.monitor.stir()
	defer func() {
		p.leading.Store(false)
		p.reach.forget(checkWrite)
		p.monitor.beats.end(loop)
	}()
	for {
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
			return
		case <-p.wake:
		case <-time.After(wait):
		}
	}
}

// work sends all that is due, and reports whether anything was. One kind that
// fails does not hold back the others.
func (p *publisher) work(ctx context.Context, t *tenure) (tried bool, err error) {
	u := p.monitor.latest.Load()
	if u == nil || u.seq <= p.floor.Load() {
		return false, nil // the first event of our own is being made
	}
	if !t.loaded {
		if err := p.takeUp(ctx, t); err != nil {
			return true, err
		}
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
