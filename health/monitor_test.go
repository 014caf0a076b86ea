package health_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestFirstEventGoesOutWithinASecondOnBothBuses(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	n := r.start(r.link(), setup{})
	var ids []string
	for _, e := range ears {
		first := e.waitAfter(0, schema.Health)
		if took := first.at.Sub(n.began); took > time.Second {
			t.Errorf("%s: first event after %v", e.name, took)
		} else {
			t.Logf("%s: first event after %v", e.name, took)
		}
		if first.health.Status != event.StatusStarting || first.health.ActiveSymbols != 60 || len(first.health.Issues) == 0 {
			t.Errorf("%s: first event %s", e.name, first.payload)
		}
		if took := e.waitStatus(event.StatusHealthy).at.Sub(n.began); took > 2*time.Second {
			t.Errorf("%s: the truth after %v", e.name, took)
		}
		started := e.waitAfter(0, schema.SessionStarted)
		if started.at.After(first.at) {
			t.Errorf("%s: health came before the session", e.name)
		}
		s := started.started.Session
		if s.SessionID != first.health.SessionID || s.TriggerType != event.TriggerAlways || s.SymbolCount != 60 || s.Universe != "market_leaders:top_500" {
			t.Errorf("%s: session %+v, health of %s", e.name, s, first.health.SessionID)
		}
		ids = append(ids, s.SessionID)
	}
	if ids[0] != ids[1] {
		t.Errorf("sessions %v differ", ids)
	}
	n.stop()
	for _, e := range ears {
		last := e.waitStatus(event.StatusStopping)
		if all := e.all(schema.Health); all[len(all)-1].health.Timestamp != last.health.Timestamp {
			t.Errorf("%s: events after stopping", e.name)
		}
		if stops := e.all(schema.SessionStopped); len(stops) > 0 {
			t.Errorf("%s: the session was stopped with its process: %s", e.name, stops[0].payload)
		}
		e.check()
	}
}

func TestFirstEventBeforeTheStreamsAreThere(t *testing.T) {
	r := bareRig(t)
	redisEar := r.redisEar()
	n := r.start(r.link(), setup{})
	first := redisEar.waitAfter(0, schema.Health)
	if took := first.at.Sub(n.began); took > time.Second {
		t.Errorf("first event after %v", took)
	}
	r.ensure()
	stored := r.natsEar().waitAfter(0, schema.Health)
	if stored.health.SessionID != first.health.SessionID {
		t.Errorf("sessions %s on redis and %s on nats", first.health.SessionID, stored.health.SessionID)
	}
}

func TestEventSaysWhatWasMeasured(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	n := r.start(r.link(), setup{cfg: health.Config{Interval: time.Second}})
	n.plant.set(func(f *observe.Facts) {
		f.TicksPerSecond, f.ActiveSymbols, f.StaleSymbols = 123.456, 58, []string{"BRK.B", "AAPL"}
		f.PatternsDetected, f.IndicatorsCalculated, f.BarsPerMinute = 5, 150, 60
		f.IngestLag = 45 * time.Millisecond
	})
	n.bench.rule(observe.Verdict{Status: event.StatusDegraded, Issues: []observe.Issue{{Code: "stale", Severity: observe.SeverityWarning, Sentence: "2 of 60 symbols are stale"}}})
	for _, e := range ears {
		h := e.waitStatus(event.StatusDegraded).health
		if h.Type != "streaming_health" || h.Event != "streaming_health" || h.Source != "tickstream" || h.SessionID != h.Health.SessionID ||
			h.Status != h.Health.Status || h.ActiveSymbols != 58 || h.Health.ActiveSymbols != 58 || !slices.Equal(h.Issues, h.Health.Issues) {
			t.Errorf("%s: flat copies differ: %+v", e.name, h)
		}
		got := h.Health
		if got.TicksPerSecond != 123.46 || got.DataFlow.TicksPerSecond != 123.46 || got.DataFlow.BarsPerMinute != 60 || got.DataFlow.ProcessingLagMs != 45 ||
			got.PatternsDetected != 5 || got.IndicatorsCalculated != 150 || got.StaleSymbols.Count != 2 || got.StaleSymbols.Symbols[0] != "BRK.B" ||
			got.Resources.MemoryMB != 256 || got.Resources.CPUPercent != 12.1 || got.ResourceUsage.ThreadsActive != 8 || got.Issues[0] != "2 of 60 symbols are stale" {
			t.Errorf("%s: %+v", e.name, got)
		}
		e.check()
	}
	client := r.redis.Client()
	value, err := client.Get(t.Context(), r.redis.Channels.HeartbeatKey).Result()
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if age := float64(time.Now().UnixMilli())/1e3 - seconds; err != nil || age < 0 || age > 10 || strings.ContainsAny(value, "eE") {
		t.Errorf("heartbeat %q is %f s old (%v)", value, age, err)
	}
	if ttl := client.TTL(t.Context(), r.redis.Channels.HeartbeatKey).Val(); ttl <= 50*time.Second || ttl > time.Minute {
		t.Errorf("heartbeat expires in %v", ttl)
	}
}

func TestEventEachInterval(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ears := r.ears()
	r.start(r.link(), setup{cfg: health.Config{Interval: time.Second}})
	for _, e := range ears {
		e.waitAfter(4, schema.Health)
		all := e.all(schema.Health)
		for i := range 4 {
			if gap := all[i+1].health.Timestamp.Sub(all[i].health.Timestamp.Time); gap > 1500*time.Millisecond {
				t.Errorf("%s: %v between events %d and %d", e.name, gap, i, i+1)
			}
		}
		if span := all[4].health.Timestamp.Sub(all[0].health.Timestamp.Time); span < 3*time.Second {
			t.Errorf("%s: five events in %v", e.name, span)
		}
	}
}

func TestChangeOfStatusGoesOutAtOnce(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	n := r.start(r.link(), setup{cfg: health.Config{Interval: time.Minute}})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	changed := time.Now()
	n.bench.rule(observe.Verdict{Status: event.StatusError})
	for _, e := range ears {
		if took := e.waitStatus(event.StatusError).at.Sub(changed); took > time.Second {
			t.Errorf("%s: after %v", e.name, took)
		}
	}
}

func TestLegacyStatusWords(t *testing.T) {
	r := newRig(t)
	e := r.redisEar()
	n := r.start(r.link(), setup{cfg: health.Config{LegacyStatusWords: true}})
	for status, word := range map[event.Status]event.Status{event.StatusDegraded: "warning", event.StatusError: "critical", event.StatusHealthy: "healthy"} {
		n.bench.rule(observe.Verdict{Status: status})
		e.waitStatus(word)
	}
	e.check()
}

func TestSettingsAreChecked(t *testing.T) {
	r := bareRig(t)
	l := r.link()
	deps, _, _ := r.deps(l, setup{})
	for says, cfg := range map[string]health.Config{
		"interval":     {Interval: time.Millisecond},
		"60s":          {Interval: time.Hour},
		"repetition":   {RepeatSession: time.Millisecond},
		"session mode": {Mode: "sometimes"},
	} {
		if _, err := health.New(cfg, deps); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New(%+v) = %v, want it to say %s", cfg, err, says)
		}
	}
	deps.Redis = redis.NewClient(&redis.Options{Addr: l.redis.Addr()})
	t.Cleanup(func() { _ = deps.Redis.Close() })
	if _, err := health.New(health.Config{}, deps); err == nil || !strings.Contains(err.Error(), "ContextTimeoutEnabled") {
		t.Errorf("with a client that cannot be interrupted: %v", err)
	}
	if _, err := health.New(health.Config{}, health.Deps{}); err == nil {
		t.Error("without deps: no error")
	}
}

func TestLateListenerLearnsAtOnce(t *testing.T) {
	r := newRig(t)
	n := r.start(r.link(), setup{cfg: health.Config{Interval: time.Minute}})
	testbed.Eventually(t, patience, "the first event", func(context.Context) bool { return n.monitor.Snapshot().Published })
	id := n.monitor.Snapshot().Session.SessionID
	for range 2 { // a second listener beside the first
		came := time.Now()
		e := r.redisEar()
		started, latest := e.waitAfter(0, schema.SessionStarted), e.waitAfter(0, schema.Health)
		if started.started.Session.SessionID != id || latest.health.SessionID != id || latest.health.ActiveSymbols != 60 {
			t.Errorf("session %s, heard of %s and %s", id, started.started.Session.SessionID, latest.health.SessionID)
		}
		if took := latest.at.Sub(came); took > 2*time.Second {
			t.Errorf("learned after %v", took)
		}
	}
}
