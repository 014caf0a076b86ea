package health

import (
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

func TestUsageIsSummedOverProcesses(t *testing.T) {
	self := process{"a", 1}
	use := func(mb uint64) presence.Usage {
		return presence.Usage{CPUPercent: float64(mb), MemoryBytes: mb, MemoryPercent: 1, Threads: 2}
	}
	now := time.Now()
	report := func(role, host string, pid int, mb uint64, at time.Time) presence.Report {
		return presence.Report{Role: role, Host: host, PID: pid, Usage: use(mb), ReportedAt: at}
	}
	for name, c := range map[string]struct {
		reports []presence.Report
		want    uint64
		count   int
	}{
		"nobody reports":           {nil, 10, 1},
		"all in one process":       {[]presence.Report{report("bridge", "a", 1, 11, now), report("pipeline", "a", 1, 12, now), report("health", "a", 1, 13, now)}, 10, 1},
		"each in its own":          {[]presence.Report{report("bridge", "a", 2, 100, now), report("pipeline", "a", 3, 1000, now)}, 1110, 3},
		"same pid on other hosts":  {[]presence.Report{report("bridge", "b", 1, 100, now), report("bridge", "c", 1, 1000, now)}, 1110, 3},
		"two roles in another one": {[]presence.Report{report("pipeline", "b", 7, 200, now), report("bridge", "b", 7, 100, now.Add(-time.Second))}, 210, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got := together(c.reports, self, use(10))
			if got.MemoryBytes != c.want || got.CPUPercent != float64(c.want) || got.Threads != 2*c.count || got.MemoryPercent != float64(c.count) {
				t.Errorf("sum is %+v, want %d bytes of %d processes", got, c.want, c.count)
			}
		})
	}
}

func TestConnectionComesFromTheBridges(t *testing.T) {
	bridge := func(b presence.Bridge) presence.Report {
		return presence.Report{Role: presence.RoleBridge, Bridge: &b}
	}
	for name, c := range map[string]struct {
		reports []presence.Report
		status  string
		want    event.Connection
	}{
		"not measured yet":  {nil, reconnecting, event.Connection{}},
		"no bridge":         {[]presence.Report{{Role: presence.RolePipeline}}, disconnected, event.Connection{}},
		"subscribed":        {[]presence.Report{bridge(presence.Bridge{Subscribed: true, Subscriptions: 1})}, connected, event.Connection{Active: 1}},
		"never yet":         {[]presence.Report{bridge(presence.Bridge{FailedConnects: 4})}, reconnecting, event.Connection{Failed: 4}},
		"lost and not back": {[]presence.Report{bridge(presence.Bridge{Subscriptions: 2, FailedConnects: 1})}, reconnecting, event.Connection{Failed: 1, Reconnections: 1}},
		"one of two": {[]presence.Report{
			bridge(presence.Bridge{Subscriptions: 1}), bridge(presence.Bridge{Subscribed: true, Subscriptions: 3}),
		}, connected, event.Connection{Active: 1, Reconnections: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			var v observe.Verdict
			if c.status == disconnected {
				v.Issues = []observe.Issue{{Code: observe.CodeBridgeMissing}}
			}
			if status, got := connectionOf(c.reports, v); status != c.status || got != c.want {
				t.Errorf("%s %+v, want %s %+v", status, got, c.status, c.want)
			}
		})
	}
}

func TestNumbersFitJSON(t *testing.T) {
	for _, c := range []struct {
		in, want float64
		digits   int
	}{
		{15.24, 15.2, 1}, {0, 0, 1}, {0.004, 0.004, 2}, {123.456, 123.46, 2},
		{math.NaN(), 0, 1}, {math.Inf(1), 0, 1}, {-3, 0, 1},
	} {
		if got := round(c.in, c.digits); got != c.want {
			t.Errorf("round(%v, %d) = %v, want %v", c.in, c.digits, got, c.want)
		}
	}
}

func TestLagIsTheWorst(t *testing.T) {
	for name, c := range map[string]struct {
		facts observe.Facts
		want  float64
	}{
		"nothing":          {observe.Facts{}, 0},
		"clocks disagree":  {observe.Facts{IngestLag: -time.Second}, 0},
		"ingest":           {observe.Facts{IngestLag: 45 * time.Millisecond, Consumers: []observe.Consumer{{Lag: time.Millisecond}}}, 45},
		"a slow consumer":  {observe.Facts{IngestLag: 45 * time.Millisecond, Consumers: []observe.Consumer{{}, {Lag: 2 * time.Second}}}, 2000},
		"below its digits": {observe.Facts{IngestLag: 10 * time.Microsecond}, 0.01},
	} {
		if got := compose(moment{facts: c.facts}).Health.DataFlow.ProcessingLagMs; got != c.want {
			t.Errorf("%s: %v ms, want %v", name, got, c.want)
		}
	}
}

func TestStaleSymbolsAreCutForTheEventOnly(t *testing.T) {
	many := make([]string, 55)
	for i := range many {
		many[i] = string(rune('A' + i))
	}
	got := compose(moment{facts: observe.Facts{StaleSymbols: many}}).Health.StaleSymbols
	if got.Count != 55 || len(got.Symbols) != 20 || got.Symbols[19] != many[19] {
		t.Errorf("%d of %d symbols, want the first 20 of 55", len(got.Symbols), got.Count)
	}
}

func TestReachToleratesOneFailure(t *testing.T) {
	down := errTest("refused")
	r := newReach("NATS", time.Now, quietLog())
	if !r.get().OK {
		t.Error("away before it was tried")
	}
	r.note(checkRead, down)
	if r.get().OK {
		t.Error("never reached and counts as working")
	}
	r.note(checkRead, nil)
	r.note(checkRead, down)
	if !r.get().OK {
		t.Error("one failure counts as an outage")
	}
	r.note(checkRead, down)
	if got := r.get(); got.OK || got.Err != "refused" {
		t.Errorf("after two failures: %+v", got)
	}
	r.note(checkRead, nil)
	r.note(checkWrite, down)
	r.note(checkRead, nil)
	r.note(checkWrite, down)
	if r.get().OK {
		t.Error("reading hides that writing fails")
	}
	r.forget(checkWrite)
	if got := r.get(); !got.OK || got.Err != "" {
		t.Errorf("after the failing way is not tried any more: %+v", got)
	}
}

type errTest string

func (e errTest) Error() string { return string(e) }

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
