package health_test

import (
	"context"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const leader, standby = 11, 22 // symbols, which tell the processes apart

// two starts a leader and then a standby.
func two(r *rig) (first, second *node, firstLink *link, ears []*ear) {
	r.t.Helper()
	ears = r.ears()
	firstLink = r.link()
	cfg := health.Config{Interval: time.Second}
	first = r.start(firstLink, setup{cfg: cfg, active: leader})
	for _, e := range ears {
		e.waitAfter(0, schema.Health)
	}
	second = r.start(r.link(), setup{cfg: cfg, active: standby})
	testbed.Eventually(r.t, patience, "the standby knows the session", func(context.Context) bool {
		return second.monitor.Snapshot().Session.SessionID == first.monitor.Snapshot().Session.SessionID
	})
	return first, second, firstLink, ears
}

func by(active int) func(sent) bool {
	return func(s sent) bool { return s.health.ActiveSymbols == active }
}

func TestOneProcessPublishes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, second, _, ears := two(r)
	for _, e := range ears {
		e.waitAfter(len(e.all(schema.Health))+3, schema.Health)
		for _, s := range e.all(schema.Health) {
			if !by(leader)(s) {
				t.Fatalf("%s: the standby published: %s", e.name, s.payload)
			}
		}
	}
	if second.monitor.Snapshot().Published {
		t.Error("the standby believes that it published")
	}
	id := first.monitor.Snapshot().Session.SessionID
	stopped := time.Now()
	first.stop()
	for _, e := range ears {
		next := e.wait(schema.Health, "the standby's event", by(standby))
		if took := next.at.Sub(stopped); took > 2*time.Second {
			t.Errorf("%s: takeover %v after a clean stop", e.name, took)
		} else {
			t.Logf("%s: takeover %v after a clean stop", e.name, took)
		}
		settled(t, e, id)
	}
}

func TestStandbyTakesOverFromADeadLeader(t *testing.T) {
	r := newRig(t)
	first, _, l, ears := two(r)
	id := first.monitor.Snapshot().Session.SessionID
	died := time.Now()
	l.nats.Cut()
	l.redis.Cut()
	for _, e := range ears {
		next := e.wait(schema.Health, "the standby's event", by(standby))
		// Below 2 s where nothing else keeps the machine busy.
		if took := next.at.Sub(died); took > stream.LeaseTTL+2*time.Second {
			t.Errorf("%s: takeover after %v", e.name, took)
		} else {
			t.Logf("%s: takeover after %v", e.name, took)
		}
		e.wait(schema.SessionStarted, "the session, resumed", func(s sent) bool {
			return s.started.Session.SessionID == id && s.started.Session.TriggerType == event.TriggerResumed
		})
		settled(t, e, id)
	}
}

// settled checks that the standby's events follow the leader's and never mix,
// all of one session.
func settled(t *testing.T, e *ear, id string) {
	t.Helper()
	taken := false
	for _, s := range e.all(schema.Health) {
		if s.health.SessionID != id {
			t.Errorf("%s: session %q beside %q", e.name, s.health.SessionID, id)
		}
		if by(standby)(s) {
			taken = true
		} else if taken {
			t.Errorf("%s: the leader published after the takeover", e.name)
		}
	}
}

// Each bus may have another leader; the session is still one.
func TestLeadersOnEachBusShareTheSession(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ears := r.ears()
	l := r.link()
	l.redis.Cut()
	cfg := health.Config{Interval: time.Second}
	r.start(l, setup{cfg: cfg, active: leader})
	onNATS := ears[0].wait(schema.Health, "the first's event", by(leader))
	r.start(r.link(), setup{cfg: cfg, active: standby})
	onRedis := ears[1].wait(schema.Health, "the second's event", by(standby))
	l.redis.Restore()
	for i, e := range ears {
		e.waitAfter(len(e.all(schema.Health))+2, schema.Health)
		for _, s := range e.all(schema.Health) {
			if !by([]int{leader, standby}[i])(s) || s.health.SessionID != onNATS.health.SessionID {
				t.Errorf("%s: %s", e.name, s.payload)
			}
		}
	}
	if id := ears[1].all(schema.SessionStarted)[0].started.Session.SessionID; id != onRedis.health.SessionID {
		t.Errorf("redis heard of session %s and of health of %s", id, onRedis.health.SessionID)
	}
}
