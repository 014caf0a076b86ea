package health_test

import (
	"testing"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
)

var (
	noTicks = observe.Issue{
		Code: observe.CodeNoTicks, Severity: observe.SeverityError, Component: "bridge",
		Sentence: "no tick for 31 s", Mend: "see whether AppV2 publishes",
	}
	ruleHealthy = observe.Verdict{Status: event.StatusHealthy}
	ruleNoTicks = observe.Verdict{Status: event.StatusError, Issues: []observe.Issue{noTicks}}
)

func TestGraveFaultsRaiseAlertsUntilTheyEnd(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	n := r.start(r.link(), setup{})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	n.bench.rule(observe.Verdict{Status: event.StatusDegraded, Issues: []observe.Issue{{Code: observe.CodeLagHigh, Severity: observe.SeverityWarning, Sentence: "the lag is 3 s"}}})
	for _, e := range ears {
		e.waitStatus(event.StatusDegraded)
	}
	n.bench.rule(ruleNoTicks)
	for _, e := range ears {
		a := e.waitAfter(0, schema.CriticalAlert).alert
		if a.Severity != event.SeverityError || a.Message != noTicks.Sentence || a.Component != "bridge" || a.ActionRequired == nil ||
			*a.ActionRequired != noTicks.Mend || a.Recovery != nil || a.Data["code"] != observe.CodeNoTicks || a.Nested.Message != a.Message {
			t.Errorf("%s: alert %+v", e.name, a)
		}
	}
	// The number in the sentence changes; the fault is the same.
	later := noTicks
	later.Sentence = "no tick for 36 s"
	n.bench.rule(observe.Verdict{Status: event.StatusError, Issues: []observe.Issue{later, {
		Code: observe.CodeBridgeMissing, Severity: observe.SeverityError, Component: "bridge", Sentence: "no bridge is running",
	}}})
	for _, e := range ears {
		if a := e.waitAfter(1, schema.CriticalAlert).alert; a.Message != "no bridge is running" || a.ActionRequired != nil {
			t.Errorf("%s: second alert %+v", e.name, a)
		}
	}
	n.bench.rule(ruleHealthy)
	for _, e := range ears {
		ended := map[string]bool{}
		for i := range 2 {
			a := e.waitAfter(2+i, schema.CriticalAlert).alert
			if a.Severity != event.SeverityInfo || a.Recovery == nil || a.ActionRequired != nil {
				t.Errorf("%s: recovery %+v", e.name, a)
				continue
			}
			ended[*a.Recovery] = true
		}
		if !ended[noTicks.Sentence] || !ended["no bridge is running"] {
			t.Errorf("%s: ended %v", e.name, ended)
		}
		e.check()
	}
}

// A fault outlives the process that told of it, and so does the duty to tell
// of its end.
func TestAlertsSurviveARestart(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	n := r.start(r.link(), setup{})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	n.bench.rule(ruleNoTicks)
	for _, e := range ears {
		e.waitAfter(0, schema.CriticalAlert)
	}
	n.stop()
	again := r.start(r.link(), setup{rule: &observe.Verdict{Status: event.StatusStarting}})
	for _, e := range ears {
		e.wait(schema.Health, "starting again", func(s sent) bool { return s.at.After(again.began) && s.health.Status == event.StatusStarting })
	}
	again.bench.rule(ruleNoTicks)
	for _, e := range ears {
		errs := func() int { return count(e, event.StatusError) }
		before := errs()
		e.wait(schema.Health, "error after the restart", func(sent) bool { return errs() > before || before > 1 })
		if all := e.all(schema.CriticalAlert); len(all) != 1 {
			t.Errorf("%s: %d alerts of one fault, the last %s", e.name, len(all), all[len(all)-1].payload)
		}
	}
	again.bench.rule(ruleHealthy)
	for _, e := range ears {
		if a := e.waitAfter(1, schema.CriticalAlert).alert; a.Recovery == nil || *a.Recovery != noTicks.Sentence {
			t.Errorf("%s: %+v, want the recovery", e.name, a)
		}
	}
}

// A bus that was away hears of what still holds.
func TestAlertsReachABusThatWasAway(t *testing.T) {
	r := newRig(t)
	ears := r.ears()
	l := r.link()
	n := r.start(l, setup{})
	for _, e := range ears {
		e.waitStatus(event.StatusHealthy)
	}
	l.redis.Cut()
	n.bench.rule(ruleNoTicks)
	ears[0].waitAfter(0, schema.CriticalAlert)
	l.redis.Restore()
	if a := ears[1].waitAfter(0, schema.CriticalAlert).alert; a.Message != noTicks.Sentence {
		t.Errorf("redis: %+v", a)
	}
}

func count(e *ear, status event.Status) int {
	n := 0
	for _, s := range e.all(schema.Health) {
		if s.health.Status == status {
			n++
		}
	}
	return n
}
