package bar_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/tick"
)

func trade(price, volume float64) tick.Tick {
	p, _ := tick.DecimalFromFloat(price)
	v, _ := tick.DecimalFromFloat(volume)
	return tick.Tick{Price: p, Volume: v}
}

func second(open, high, low, closed float64) tick.Tick {
	t := trade(closed, 1)
	t.Open, _ = tick.DecimalFromFloat(open)
	t.High, _ = tick.DecimalFromFloat(high)
	t.Low, _ = tick.DecimalFromFloat(low)
	t.Close, _ = tick.DecimalFromFloat(closed)
	t.Present = tick.FieldsOHLC
	return t
}

func TestFold(t *testing.T) {
	t.Parallel()
	type at struct {
		nanos int64
		seq   uint64
		tick  tick.Tick
	}
	for name, c := range map[string]struct {
		ticks []at
		want  string // open high low close volume vwap
	}{
		"one tick":                    {[]at{{1, 1, trade(10, 2)}}, "10 10 10 10 2 10"},
		"open and close by time":      {[]at{{3, 1, trade(12, 1)}, {1, 2, trade(11, 1)}, {2, 3, trade(10, 1)}}, "11 12 10 12 3 11"},
		"same time: by sequence":      {[]at{{1, 1, trade(12, 1)}, {1, 2, trade(11, 1)}}, "12 12 11 11 2 11.5"},
		"a second's own prices":       {[]at{{1, 1, second(10, 15, 9, 11)}, {2, 2, second(12, 13, 8, 12)}}, "10 15 8 12 2 11.5"},
		"a second opens above itself": {[]at{{1, 1, second(20, 15, 9, 11)}}, "20 20 9 11 1 11"},
		"no volume, no average":       {[]at{{1, 1, trade(10, 0)}}, "10 10 10 10 0 null"},
		"no binary drift":             {[]at{{1, 1, trade(0.1, 0.1)}, {2, 2, trade(0.2, 0.2)}}, "0.1 0.2 0.1 0.2 0.3 0.166666667"},
	} {
		var a bar.Accumulator
		for _, x := range c.ticks {
			a.Add(&x.tick, bar.Moment{UnixNanos: x.nanos, Sequence: x.seq})
		}
		e := event.NewBar("A", "1min", time.Unix(0, 0), time.Unix(60, 0))
		a.Fill(&e)
		vwap := "null"
		if e.VWAP != nil {
			vwap = e.VWAP.String()
		}
		got := e.Open.String() + " " + e.High.String() + " " + e.Low.String() + " " + e.Close.String() + " " + e.Volume.String() + " " + vwap
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Whatever the order of the ticks, and however they are split into shorter
// bars, the bar is the same.
func TestOrderAndRollUpChangeNothing(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		n := 1 + random.IntN(30)
		ticks, moments := make([]tick.Tick, n), make([]bar.Moment, n)
		var want bar.Accumulator
		for i := range n {
			ticks[i] = trade(1+random.Float64()*100, float64(random.IntN(1000)))
			moments[i] = bar.Moment{UnixNanos: int64(random.IntN(10)), Sequence: uint64(i + 1)}
			want.Add(&ticks[i], moments[i])
		}
		var parts [3]bar.Accumulator
		for _, i := range random.Perm(n) {
			parts[moments[i].UnixNanos%3].Add(&ticks[i], moments[i])
		}
		var got bar.Accumulator
		for _, i := range random.Perm(3) {
			got.Merge(&parts[i])
		}
		if got != want {
			t.Fatalf("%+v\nwant %+v", got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	market := bar.NewMarket(zone)
	for _, c := range []struct{ timeframe, at, start, end string }{
		{"1min", "2026-03-02T14:30:59Z", "2026-03-02T14:30:00Z", "2026-03-02T14:31:00Z"},
		{"5min", "2026-03-02T14:34:59Z", "2026-03-02T14:30:00Z", "2026-03-02T14:35:00Z"},
		{"15min", "2026-03-02T14:30:00Z", "2026-03-02T14:30:00Z", "2026-03-02T14:45:00Z"},
		{"60min", "2026-03-02T14:30:00Z", "2026-03-02T14:00:00Z", "2026-03-02T15:00:00Z"},
		{"daily", "2026-03-03T04:59:59Z", "2026-03-02T05:00:00Z", "2026-03-03T05:00:00Z"},
		{"daily", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"}, // 23 hours: summer time begins
		{"daily", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"}, // 25 hours: it ends
	} {
		timeframe, err := bar.ParseTimeframe(c.timeframe)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, c.at)
		start, end := timeframe.Bounds(at.Unix(), market)
		if got := time.Unix(start, 0).UTC().Format(time.RFC3339) + " " + time.Unix(end, 0).UTC().Format(time.RFC3339); got != c.start+" "+c.end {
			t.Errorf("%s at %s: %s, want %s %s", c.timeframe, c.at, got, c.start, c.end)
		}
	}
	if _, err := bar.ParseTimeframe("2min"); err == nil {
		t.Error("2min is taken as a timeframe")
	}
}
