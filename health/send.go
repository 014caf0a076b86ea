package health

import (
	"context"
	"errors"
	"fmt"

	"github.com/tickstock/tickstream/health/session"
)

// sendSession stores the session and announces what listeners were not told;
// came says that somebody new listens.
func (p *publisher) sendSession(ctx context.Context, t *tenure, came bool) (tried bool, err error) {
	current, now := p.monitor.keeper.Current(), p.monitor.cfg.Now()
	if current.IsZero() {
		return false, nil
	}
	// Storing and announcing do not wait for one another: a full Redis may
	// refuse the one and take the other.
	var saveErr error
	if stale := p.stale.Swap(false); stale || !t.saved.Same(current) {
		tried = true
		if saveErr = p.save(ctx, current); saveErr != nil {
			p.stale.Store(true)
		} else {
			t.saved = current
		}
	}
	again := p.repeat > 0 && now.Sub(t.announced) >= p.repeat
	for _, a := range session.Announcements(t.told, current, came || again || t.repeat, now) {
		if err := p.announce(ctx, a); err != nil {
			return true, errors.Join(saveErr, err)
		}
		tried = true
		if a.Started != nil {
			t.announced = now
			p.monitor.sayStarted(current, came)
		}
	}
	t.told, t.repeat = current, false
	return tried, saveErr
}

func (p *publisher) save(ctx context.Context, r session.Record) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if err := p.bus.session().Save(ctx, r); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

func (p *publisher) announce(ctx context.Context, a session.Announcement) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	return p.bus.announce(ctx, a) //nolint:wrapcheck // the bus names the subject
}

// sendHealth publishes the newest event, once unless somebody new listens.
func (p *publisher) sendHealth(ctx context.Context, t *tenure, u *update, came bool) (tried bool, err error) {
	if u.seq <= t.published && !came {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if err := u.delivery.send(func() error { return p.bus.health(ctx, u) }); err != nil {
		return true, err
	}
	p.monitor.published.Store(true)
	t.published = u.seq
	p.sent.Store(u.seq)
	return true, nil
}

// sendAlerts tells of faults that began and of those that ended.
func (p *publisher) sendAlerts(ctx context.Context) (tried bool, err error) {
	p.mu.Lock()
	told := p.alerts
	p.mu.Unlock()
	for _, n := range p.monitor.alerts().notices(told) {
		if err := p.sendAlert(ctx, n); err != nil {
			return true, err
		}
		tried, told = true, n.told(told)
		p.mu.Lock()
		p.alerts = told
		p.mu.Unlock()
	}
	return tried, nil
}

func (p *publisher) sendAlert(ctx context.Context, n notice) error {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	return p.bus.alert(ctx, n.id(), n.event(p.monitor.cfg.Now())) //nolint:wrapcheck // the bus names the subject
}

// farewell publishes the last event of a process that is asked to end.
func (p *publisher) farewell(ctx context.Context) {
	u := p.monitor.farewell()
	if u == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellTimeout)
	defer cancel()
	if err := u.delivery.send(func() error { return p.bus.health(ctx, u) }); err != nil {
		p.log.Debug("last health event not sent", "bus", p.bus.name(), "err", err)
	}
}
