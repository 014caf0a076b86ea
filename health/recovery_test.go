package health_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestFailureOfAComponentIsToldBeforeTheEnd(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	n := r.start(r.link(), setup{cfg: health.Config{Interval: time.Minute}})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	// Also where the status is error already.
	n.bench.rule(observe.Verdict{Status: event.StatusError, Issues: []observe.Issue{{Code: "x", Severity: observe.SeverityError, Sentence: "x"}}})
	for _, e := range ears {
		e.waitStatus(event.StatusError)
	}
	n.monitor.Failed(t.Context(), "bridge", errors.New("no more disk"))
	n.stop()
	const said = "bridge has ended, and this process with it: no more disk"
	for _, e := range ears {
		e.wait(schema.Health, "why it ends", func(s sent) bool {
			return s.health.Status == event.StatusError && s.health.Issues[0] == said
		})
		e.wait(schema.Health, "the end", func(s sent) bool {
			return s.health.Status == event.StatusStopping && s.health.Issues[0] == said
		})
		e.check()
	}
}

// Whoever sees zeros must not wait for an interval to see that ticks flow.
func TestFirstTickIsToldAtOnce(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	degraded := observe.Verdict{Status: event.StatusDegraded, Issues: []observe.Issue{{Code: "x", Severity: observe.SeverityWarning, Sentence: "x"}}}
	n := r.start(r.link(), setup{cfg: health.Config{Interval: time.Minute}, rule: &degraded, facts: &observe.Facts{}})
	for _, e := range ears {
		e.wait(schema.Health, "zeros", func(s sent) bool {
			return s.health.Status == event.StatusDegraded && s.health.Health.TicksPerSecond == 0
		})
	}
	n.plant.set(func(f *observe.Facts) { f.TicksPerSecond, f.ActiveSymbols = 60, 60 })
	began := time.Now()
	for _, e := range ears {
		s := e.wait(schema.Health, "the ticks", func(s sent) bool { return s.health.ActiveSymbols == 60 && s.at.After(began) })
		if took := s.at.Sub(began); took > 2*time.Second {
			t.Errorf("%s: told after %v", e.name, took)
		}
	}
}

// NATS that comes last must not have Redis hear the same zeros twice.
func TestNATSComesLast(t *testing.T) {
	r := newRig(t)
	e, l := r.redisEar(), r.link()
	l.nats.Cut()
	starting := observe.Verdict{Status: event.StatusStarting}
	n := r.start(l, setup{cfg: health.Config{Interval: time.Minute}, rule: &starting, facts: &observe.Facts{}})
	first := e.waitStatus(event.StatusStarting)
	if first.health.Health.ConnectionStatus == "disconnected" {
		t.Errorf("the first event says that nobody listens, which nobody has measured: %s", first.payload)
	}
	l.nats.Restore()
	testbed.Eventually(t, patience, "leadership on NATS", func(context.Context) bool { return n.monitor.Snapshot().Buses[0].Leading })
	n.plant.set(func(f *observe.Facts) { *f = newPlant(60).facts })
	second := e.waitAfter(1, schema.Health)
	if second.health.ActiveSymbols != 60 {
		t.Errorf("a second event says %s", second.payload)
	}
	r.natsEar().wait(schema.Health, "the ticks", func(s sent) bool { return s.health.ActiveSymbols == 60 })
}

// Facts from before an outage of NATS make no event after it.
func TestFirstEventAfterAnOutageIsMeasuredAfterIt(t *testing.T) {
	r := newRig(t)
	l := r.link()
	n := r.start(l, setup{cfg: health.Config{Interval: time.Minute}})
	e := r.natsEar()
	e.waitStatus(event.StatusHealthy)
	l.nats.Cut()
	testbed.Eventually(t, patience, "the loss of the lease", func(context.Context) bool { return !n.monitor.Snapshot().Buses[0].Leading })
	before := len(e.all(schema.Health))
	n.plant.onMeasure(func(f *observe.Facts) { f.ActiveSymbols = 42 })
	l.nats.Restore()
	if s := e.waitAfter(before, schema.Health); s.health.ActiveSymbols != 42 {
		t.Errorf("the first event after the outage is made of %d symbols, want those measured after it", s.health.ActiveSymbols)
	}
}

func TestBetweenSessionsEventsNameNoneAndSayWhy(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	r.start(r.link(), setup{cfg: health.Config{Interval: time.Second}})
	for _, e := range ears {
		e.wait(schema.Health, "some uptime", func(s sent) bool { return s.health.Health.UptimeSeconds >= 2 && s.health.SessionID != "" })
	}
	if stopped := r.ask(stream.ControlSessionStop); stopped.End == nil {
		t.Fatalf("stop: %+v", stopped)
	}
	for _, e := range ears {
		s := e.wait(schema.Health, "health without a session", func(s sent) bool { return s.health.SessionID == "" })
		if s.health.Status != event.StatusHealthy || len(s.health.Issues) != 1 || !strings.HasPrefix(s.health.Issues[0], "no session runs: it was stopped by request at ") {
			t.Errorf("%s: %s", e.name, s.payload)
		}
		if s.health.Health.UptimeSeconds < 2 || s.health.ActiveSymbols != 60 {
			t.Errorf("%s: the end of the session changed what it has nothing to do with: %s", e.name, s.payload)
		}
	}
	reply := r.ask(stream.ControlSessionStart)
	for _, e := range ears {
		s := e.wait(schema.Health, "health of the next", func(s sent) bool { return s.health.SessionID == reply.SessionID })
		if len(s.health.Issues) != 0 {
			t.Errorf("%s: issues %q", e.name, s.health.Issues)
		}
		e.check()
	}
}

// ask asks until health answers.
func (r *rig) ask(subject string) session.Record {
	r.t.Helper()
	operator := r.nats.Connect()
	var reply session.Record
	testbed.Eventually(r.t, patience, "an answer on "+subject, func(ctx context.Context) bool {
		err := service.Ask(ctx, operator, subject, nil, &reply)
		if err != nil && !errors.Is(err, nats.ErrNoResponders) {
			r.t.Fatalf("%s: %v", subject, err)
		}
		return err == nil
	})
	return reply
}

// Whoever answers an operator knows the session that is stored.
func TestOperatorIsHeardOnceTheStoredSessionIsKnown(t *testing.T) {
	r := newRig(t)
	manual := setup{cfg: health.Config{Mode: session.ModeManual}}
	n := r.start(r.link(), manual)
	id := r.ask(stream.ControlSessionStart).SessionID
	testbed.Eventually(t, patience, "the session is stored", func(ctx context.Context) bool {
		kv, err := r.nats.JetStream().KeyValue(ctx, stream.HealthBucket)
		if err != nil {
			return false
		}
		entry, err := kv.Get(ctx, stream.CurrentSessionKey)
		return err == nil && strings.Contains(string(entry.Value()), id)
	})
	n.stop()
	if err := r.redis.Client().Del(t.Context(), r.redis.Channels.SessionKey).Err(); err != nil {
		t.Fatal(err)
	}
	r.start(r.link(), manual)
	if stopped := r.ask(stream.ControlSessionStop); stopped.End == nil || stopped.SessionID != id {
		t.Errorf("stop of the stored session %s: %+v", id, stopped)
	}
}
