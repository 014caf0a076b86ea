package figure_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

func TestSeries(t *testing.T) {
	for _, test := range []struct {
		s                figure.Series
		median, min, max float64
	}{
		{figure.Series{3}, 3, 3, 3},
		{figure.Series{5, 1, 3}, 3, 1, 5},
		{figure.Series{4, 1, 3, 2}, 2.5, 1, 4},
	} {
		if m, lo, hi := test.s.Median(), test.s.Min(), test.s.Max(); m != test.median || lo != test.min || hi != test.max {
			t.Errorf("%v: %v, %v, %v", test.s, m, lo, hi)
		}
	}
	if none := (figure.Series{}); !math.IsNaN(none.Median()) || !math.IsNaN(none.Min()) || !math.IsNaN(none.Max()) {
		t.Error("of nothing there is no median")
	}
	// Each round is compared with its own ceiling.
	if got := (figure.Series{10, 40, 90}).Over(figure.Series{10, 20, 30}).Median(); got != 2 {
		t.Errorf("the median share is %v", got)
	}
}

func TestQuantiles(t *testing.T) {
	var d figure.Delays
	for i := range 1000 {
		d = append(d, time.Duration(1000-i)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := d.Quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestMeter(t *testing.T) {
	m := figure.NewMeter()
	for round := range 3 {
		m.Spent("ours", 1000, float64(round+1), float64(round)*100, 2000)
		m.Spent("redis", 1000, 1, 5, -1)
	}
	uses := m.Uses()
	if want := (figure.Use{Process: "ours", CPU: 2, CPUPerTick: 2000, RSS: 200, Allocations: 2}); len(uses) != 2 || uses[0] != want {
		t.Errorf("uses are %+v", uses)
	}
	if uses[1].Allocations != -1 {
		t.Errorf("a process that does not tell allocates %v", uses[1].Allocations)
	}
}

func TestTable(t *testing.T) {
	r := figure.Report{Machine: "2 cores", Servers: "redis-server", Rounds: 3, Parts: []figure.Part{{
		Name: "ingress",
		Rows: []figure.Row{
			{Name: "naive", Unit: "ticks/s", Values: figure.Series{100_000, 200_000, 150_000}},
			{Name: "ours", Unit: "ticks/s", Values: figure.Series{150_000, 300_000, 300_000}, Ratio: figure.Series{1.5, 1.5, 2},
				Uses: []figure.Use{{Process: "bridge", CPU: 1.25, CPUPerTick: 2.5, RSS: 3 << 20, Allocations: -1}}},
		},
		Verdicts: []figure.Verdict{{Target: "sustained", Wanted: "≥ 1.3", Measured: "1.50", Met: true}, {Target: "power-safe", Wanted: "≥ 0.55", Measured: "0.50"}},
	}}}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	all := strings.Join(lines, "\n")
	for _, want := range []string{
		"naive ticks/s 150,000 100,000 200,000 -", "ours ticks/s 300,000 150,000 300,000 1.50", "ours bridge 1.25 2.50 3.0 MiB -",
		"sustained ≥ 1.3 1.50 met", "power-safe ≥ 0.55 0.50 MISSED",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	if !r.OK() {
		t.Error("a missed target counts as wrong")
	}
	r.Parts[0].Problems = []string{"1 tick was lost"}
	if r.OK() {
		t.Error("a lost tick counts as right")
	}
}
