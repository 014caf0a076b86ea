package health_test

import (
	"context"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// A bus that fails or hangs delays nothing on the other one, which tells of it.
func TestOneBusGoesOnWithoutTheOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		brk         func(*rig, *link)
		mend        func(*rig, *link)
		works, away int // places in ears
	}{
		"nats cut":      {func(_ *rig, l *link) { l.nats.Cut() }, func(_ *rig, l *link) { l.nats.Restore() }, 1, 0},
		"nats hangs":    {func(_ *rig, l *link) { l.nats.Stall() }, func(_ *rig, l *link) { l.nats.Restore() }, 1, 0},
		"nats restarts": {func(r *rig, _ *link) { r.nats.Stop() }, func(r *rig, _ *link) { r.nats.Start() }, 1, 0},
		"redis cut":     {func(_ *rig, l *link) { l.redis.Cut() }, func(_ *rig, l *link) { l.redis.Restore() }, 0, 1},
		"redis hangs":   {func(_ *rig, l *link) { l.redis.Stall() }, func(_ *rig, l *link) { l.redis.Restore() }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ears := r.ears()
			l := r.link()
			n := r.start(l, setup{cfg: health.Config{Interval: time.Second}})
			works, away := ears[c.works], ears[c.away]
			works.waitStatus(event.StatusHealthy)
			away.waitStatus(event.StatusHealthy)
			id := n.monitor.Snapshot().Session.SessionID

			c.brk(r, l)
			works.waitStatus(event.StatusDegraded)
			before := len(works.all(schema.Health))
			works.waitAfter(before+3, schema.Health)
			all := works.all(schema.Health)
			for i := 1; i < len(all); i++ {
				if gap := all[i].health.Timestamp.Sub(all[i-1].health.Timestamp.Time); gap > 1500*time.Millisecond {
					t.Errorf("%s: %v between two events", works.name, gap)
				}
				if late := all[i].at.Sub(all[i].health.Timestamp.Time); late > time.Second {
					t.Errorf("%s: an event came %v after it was made", works.name, late)
				}
			}

			lost := len(away.all(schema.Health))
			c.mend(r, l)
			away.waitAfter(lost, schema.Health)
			testbed.Eventually(t, patience, "healthy on both again", func(context.Context) bool {
				onBoth := true
				for _, e := range ears {
					all := e.all(schema.Health)
					onBoth = onBoth && all[len(all)-1].health.Status == event.StatusHealthy
				}
				return onBoth
			})
			for _, e := range ears {
				for _, s := range e.all(schema.Health) {
					if s.health.SessionID != id {
						t.Errorf("%s: session %q beside %q", e.name, s.health.SessionID, id)
					}
				}
				if len(e.all(schema.SessionStopped)) > 0 {
					t.Errorf("%s: the outage stopped the session", e.name)
				}
			}
		})
	}
}

func TestEitherBusMayBeAwayAtTheStart(t *testing.T) {
	for name, brk := range map[string]func(*link, func(*testbed.Proxy)){
		"nats cut":    func(l *link, _ func(*testbed.Proxy)) { l.nats.Cut() },
		"nats hangs":  func(l *link, _ func(*testbed.Proxy)) { l.nats.Stall() },
		"redis cut":   func(l *link, _ func(*testbed.Proxy)) { l.redis.Cut() },
		"redis hangs": func(l *link, _ func(*testbed.Proxy)) { l.redis.Stall() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ears := r.ears()
			works, away := ears[0], ears[1]
			if name[0] == 'n' {
				works, away = away, works
			}
			l := r.link()
			brk(l, nil)
			n := r.start(l, setup{cfg: health.Config{Interval: time.Second}})
			first := works.waitAfter(0, schema.Health)
			if took := first.at.Sub(n.began); took > time.Second {
				t.Errorf("%s: first event after %v", works.name, took)
			}
			if first.health.SessionID == "" {
				t.Errorf("%s: the first event has no session", works.name)
			}
			l.nats.Restore()
			l.redis.Restore()
			if late := away.waitAfter(0, schema.Health); late.health.SessionID != first.health.SessionID {
				t.Errorf("sessions %s on %s and %s on %s", first.health.SessionID, works.name, late.health.SessionID, away.name)
			}
		})
	}
}

func TestStopsWhileBothBusesHang(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	l := r.link()
	n := r.start(l, setup{})
	testbed.Eventually(t, patience, "the first event", func(context.Context) bool { return n.monitor.Snapshot().Published })
	l.nats.Stall()
	l.redis.Stall()
	asked := time.Now()
	n.stop()
	if took := time.Since(asked); took > 4*time.Second {
		t.Errorf("stopped after %v", took)
	}
}
