package health

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// poll looks at what the bus holds and who listens on it.
func (p *publisher) poll(ctx context.Context) {
	select { // the first look at the bus is the monitor's
	case <-p.monitor.prepared:
	case <-ctx.Done():
		return
	}
	loop := p.bus.name() + " poll"
	defer p.monitor.beats.end(loop)
	ticker := time.NewTicker(p.bus.pollPeriod())
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
