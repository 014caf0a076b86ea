package health_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// hands is a clock that a test sets and that goes on from there.
type hands struct {
	mu   sync.Mutex
	at   time.Time
	real time.Time
}

func (h *hands) set(t *testing.T, wall string) {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", wall, zone)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.real = at, time.Now()
}

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at.Add(time.Since(h.real))
}

func TestSessionSurvivesARestart(t *testing.T) {
	for name, forget := range map[string]func(*testing.T, *rig){
		"both remember": func(*testing.T, *rig) {},
		"nats remembers": func(t *testing.T, r *rig) {
			if err := r.redis.Client().Del(t.Context(), r.redis.Channels.SessionKey).Err(); err != nil {
				t.Fatal(err)
			}
		},
		"redis remembers": func(t *testing.T, r *rig) {
			kv, err := r.nats.JetStream().KeyValue(t.Context(), stream.HealthBucket)
			if err != nil {
				t.Fatal(err)
			}
			if err := kv.Purge(t.Context(), stream.CurrentSessionKey); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ears := r.ears()
			n := r.start(r.link(), setup{})
			for _, e := range ears {
				e.waitStatus(event.StatusHealthy)
			}
			id := n.monitor.Snapshot().Session.SessionID
			n.stop()
			forget(t, r)
			r.start(r.link(), setup{})
			for _, e := range ears {
				again := e.waitAfter(1, schema.SessionStarted).started.Session
				if again.SessionID != id || again.TriggerType != event.TriggerResumed {
					t.Errorf("%s: announced %+v, want %s resumed", e.name, again, id)
				}
				e.wait(schema.Health, "health after the restart", func(s sent) bool {
					return s.at.After(n.began) && s.health.Status == event.StatusHealthy
				})
				if len(e.all(schema.SessionStopped)) > 0 {
					t.Errorf("%s: the restart stopped the session", e.name)
				}
				e.check()
			}
		})
	}
}

func TestAnotherUniverseIsAnotherSession(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	n := r.start(r.link(), setup{})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	id := n.monitor.Snapshot().Session.SessionID
	n.stop()
	r.start(r.link(), setup{usual: universe.Universe{Key: "etf:all", Symbols: []string{"SPY"}}})
	for _, e := range ears {
		if end := e.waitAfter(0, schema.SessionStopped).stopped.Session; end.SessionID != id || end.FinalStatus != event.FinalStopped {
			t.Errorf("%s: ended %+v", e.name, end)
		}
		if s := e.waitAfter(1, schema.SessionStarted).started.Session; s.SessionID == id || s.Universe != "etf:all" || s.SymbolCount != 1 {
			t.Errorf("%s: started %+v", e.name, s)
		}
	}
}

func TestSessionRollsOverAtMidnight(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	clock := &hands{}
	clock.set(t, "2025-10-07 23:30:00")
	n := r.start(r.link(), setup{cfg: health.Config{Now: clock.now}})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	id := n.monitor.Snapshot().Session.SessionID
	n.plant.set(func(f *observe.Facts) { f.PatternsDetected, f.IndicatorsCalculated = 5, 150 })
	clock.set(t, "2025-10-08 00:00:00")
	for _, e := range ears {
		end := e.waitAfter(0, schema.SessionStopped)
		if s := end.stopped.Session; s.SessionID != id || s.FinalStatus != event.FinalCompleted || s.DurationSeconds < 1795 || s.DurationSeconds > 1800 || s.TotalPatterns != 5 || s.TotalIndicators != 150 {
			t.Errorf("%s: ended %+v", e.name, s)
		}
		begin := e.waitAfter(1, schema.SessionStarted)
		if s := begin.started.Session; s.SessionID == id || s.TriggerType != event.TriggerAlways || begin.at.Before(end.at) {
			t.Errorf("%s: started %+v", e.name, s)
		}
		e.wait(schema.Health, "health of the new session", func(s sent) bool { return s.health.SessionID == begin.started.Session.SessionID })
		e.check()
	}
}

func TestSessionFollowsTheMarket(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	clock := &hands{}
	clock.set(t, "2025-10-07 09:00:00")
	n := r.start(r.link(), setup{cfg: health.Config{Now: clock.now, Mode: session.ModeMarket}})
	for _, e := range ears {
		if first := e.waitAfter(0, schema.Health); first.health.SessionID != "" {
			t.Errorf("%s: session %q before the market opens", e.name, first.health.SessionID)
		}
	}
	if n.bench.seen().MarketOpen {
		t.Error("the market counts as open at 09:00")
	}
	clock.set(t, "2025-10-07 09:30:00")
	var id string
	for _, e := range ears {
		s := e.waitAfter(0, schema.SessionStarted).started.Session
		if id = s.SessionID; s.TriggerType != event.TriggerScheduled {
			t.Errorf("%s: started %+v", e.name, s)
		}
		e.wait(schema.Health, "health of the session", func(s sent) bool { return s.health.SessionID == id })
	}
	if around := n.bench.seen(); !around.MarketOpen || around.MarketOpenedAt.Format(time.RFC3339) != "2025-10-07T13:30:00Z" {
		t.Errorf("at the open: %v since %v", around.MarketOpen, around.MarketOpenedAt)
	}
	clock.set(t, "2025-10-07 16:00:00")
	for _, e := range ears {
		s := e.waitAfter(0, schema.SessionStopped).stopped.Session
		if s.SessionID != id || s.FinalStatus != event.FinalCompleted || s.StoppedAt.Format(time.RFC3339) != "2025-10-07T20:00:00Z" {
			t.Errorf("%s: stopped %+v", e.name, s)
		}
		e.check()
	}
}

func TestOperatorStartsAndStopsTheSession(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	r.start(r.link(), setup{cfg: health.Config{Mode: session.ModeManual}})
	for _, e := range ears {
		e.waitAfter(0, schema.Health)
	}
	reply := r.ask(stream.ControlSessionStart)
	for _, e := range ears {
		if s := e.waitAfter(0, schema.SessionStarted).started.Session; s.SessionID != reply.SessionID || s.TriggerType != event.TriggerManual {
			t.Errorf("%s: started %+v", e.name, s)
		}
	}
	r.ask(stream.ControlSessionStop)
	for _, e := range ears {
		if s := e.waitAfter(0, schema.SessionStopped).stopped.Session; s.SessionID != reply.SessionID || s.FinalStatus != event.FinalStopped {
			t.Errorf("%s: stopped %+v", e.name, s)
		}
	}
}

// What a bus forgets or holds wrongly is put right.
func TestStoredSessionIsKept(t *testing.T) {
	r := newRig(t)
	n := r.start(r.link(), setup{})
	client, key := r.redis.Client(), r.redis.Channels.SessionKey
	store := session.RedisStore{Client: client, Key: key}
	kept := func(ctx context.Context) bool {
		stored, err := store.Load(ctx)
		return err == nil && !stored.IsZero() && stored.Same(n.monitor.Snapshot().Session)
	}
	testbed.Eventually(t, patience, "the session is stored", kept)
	for _, value := range []string{"", "null", `{"session_id":"e40d0164-9c1d-4f3a-8a53-9a7a5f0f2f11","started_at":"2025-10-07T14:30:00.000Z","market_date":"2025-10-07","updated_at":"2025-10-07T14:30:00.000Z"}`} {
		if err := client.Set(t.Context(), key, value, 0).Err(); err != nil {
			t.Fatal(err)
		}
		testbed.Eventually(t, patience, "the session is stored again", kept)
	}
}
