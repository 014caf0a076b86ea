package health

import (
	"context"
	"sync"
	"time"

	"github.com/tickstock/tickstream/health/session"
)

const (
	// The first event must be out within 1 s of the start, whatever answers.
	lookTimeout    = 600 * time.Millisecond // at the buses
	measureTimeout = 750 * time.Millisecond // for the first measurement, since the start
	firstTimeout   = 800 * time.Millisecond // for who leads, since the start
	lookAgain      = 25 * time.Millisecond
)

// prepare takes up what the buses hold and measures once, so that the first
// event of a process that is started again tells the truth. It waits for no
// longer than the first event can.
func (m *Monitor) prepare(ctx context.Context) {
	lookCtx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range m.publishers() {
		wg.Go(func() { // ends with lookCtx
			stored, err := p.firstLoad(lookCtx)
			if ctx.Err() == nil {
				p.reach.note(checkRead, err)
			}
			m.keeper.Adopt(stored)
		})
	}
	wg.Go(func() { m.inheritAlerts(lookCtx) }) // ends with lookCtx
	wg.Wait()

	m.mu.Lock()
	m.count(m.cfg.Now())
	m.mu.Unlock()
	measureCtx, stop := context.WithTimeout(ctx, measureTimeout-time.Since(m.begun.real))
	defer stop()
	if _, err := m.deps.Observer.Measure(measureCtx); err != nil && ctx.Err() == nil {
		m.log.Warn("nothing measured before the first health event", "err", err)
	}
}

// firstLoad tries until the bus answers or ctx ends, for at the start of a
// machine everything starts at once.
func (p *publisher) firstLoad(ctx context.Context) (session.Record, error) {
	for {
		stored, err := p.load(ctx)
		if err == nil {
			return stored, nil
		}
		select {
		case <-ctx.Done():
			return session.Record{}, err
		case <-time.After(lookAgain):
		}
	}
}

// inheritAlerts has recoveries told of faults that the process before told of.
func (m *Monitor) inheritAlerts(ctx context.Context) {
	told, err := m.natsBus.told(ctx)
	if err != nil {
		m.log.Debug("earlier alerts not known", "err", err)
		return
	}
	m.lasting.Store(&told)
	for _, p := range m.publishers() {
		p.mu.Lock()
		p.alerts = told
		p.mu.Unlock()
	}
}
