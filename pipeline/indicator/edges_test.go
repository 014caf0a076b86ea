package indicator_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/indicator"
)

// at makes a candle of one price.
func at(price, volume float64) candle.Candle {
	return candle.Candle{Day: 20000, Open: price, High: price, Low: price, Close: price, Volume: volume, VWAP: price}
}

func repeat(n int, c candle.Candle) []candle.Candle { return slices.Repeat([]candle.Candle{c}, n) }

// What each indicator says of the last candle where there is nothing to
// divide by, or little; absent means no reading.
func TestEdges(t *testing.T) {
	absent := []float64(nil)
	subnormal := at(1e100, 1)
	subnormal.High, subnormal.Low = 5e-322, 0
	noVWAP := at(50, 0)
	noVWAP.VWAP = math.NaN()
	for name, test := range map[string]struct {
		candles []candle.Candle
		want    map[string][]float64
	}{
		"no candle of volume": {repeat(250, at(10, 0)), map[string][]float64{
			"RSI": {0}, "BB": {10, 10, 10}, "ATR": {0}, "STOCH": {0, 0}, "MACD": {0, 0, 0},
			"VWAP": absent, "OBV": {0}, "VOLUME_SMA_20": {0}, "SMA_200": {10}}},
		"a price of nothing": {repeat(250, at(0, 0)), map[string][]float64{
			"RSI": {0}, "BB": {0, 0, 0}, "ATR": {0}, "STOCH": {0, 0}, "MACD": {0, 0, 0}, "VWAP": absent, "SMA_5": {0}}},
		"a gap after flat": {append(repeat(40, at(8, 5)), at(16, 5)), map[string][]float64{
			"RSI": {100}, "ATR": {8.0 / 14}, "STOCH": {100.0 / 3, 100.0 / 9}, "OBV": {10}, "SMA_5": {9.6}}},
		"movement just too small to count": {append(repeat(40, at(0, 5)), at(1.39e-13, 5)), map[string][]float64{
			"RSI": {0}, "BB": {1.39e-13 / 20, 1.39e-13 / 20, 1.39e-13 / 20}}},
		"movement just large enough to count": {append(repeat(40, at(0, 5)), at(1.41e-13, 5)), map[string][]float64{
			"RSI": {100}, "BB": {1.41e-13 / 20, 1.41e-13 / 20, 1.41e-13 / 20}}},
		"deviation just too small to count": {append(repeat(40, at(0, 5)), at(4.5e-7, 5)), map[string][]float64{
			"BB": {2.25e-8, 2.25e-8, 2.25e-8}}},
		"deviation just large enough to count": {append(repeat(40, at(0, 5)), at(5e-7, 5)), map[string][]float64{
			"BB": {2.5e-8 + 2*math.Sqrt(2.5e-13/20*0.95), 2.5e-8, 2.5e-8 - 2*math.Sqrt(2.5e-13/20*0.95)}}},
		"NaN where there is no volume": {append(repeat(3, at(50, 10)), noVWAP), map[string][]float64{
			"VWAP": {50}, "OBV": {10}}},
		"a range of almost nothing": {append(repeat(20, at(0, 1)), subnormal), map[string][]float64{
			"STOCH": {0, 0}, "OBV": {2}}},
		"the greatest numbers": {repeat(250, at(1e100, 1e100)), map[string][]float64{
			"SMA_5": {1e100}, "VWAP": {1e100}, "RSI": {0}, "OBV": {1e100}}},
		"warming up": {repeat(14, at(10, 1)), map[string][]float64{
			"RSI": absent, "ATR": absent, "STOCH": absent, "BB": absent, "EMA_12": {10}, "SMA_10": {10}, "SMA_20": absent}},
	} {
		t.Run(name, func(t *testing.T) {
			set := newSet(t)
			last := len(test.candles) - 1
			got := make(map[string][]float64)
			for _, r := range set.Open(test.candles[:last]).Update(test.candles[last], nil) {
				d := set.Definitions()[r.Indicator]
				got[d.Name] = r.Values[:len(d.Outputs)]
			}
			for name, want := range test.want {
				near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) }
				if !slices.EqualFunc(got[name], want, near) {
					t.Errorf("%s: got %v, want %v", name, got[name], want)
				}
			}
		})
	}
}

// A candle that is not usable is as if it had not been.
func TestUnusableCandle(t *testing.T) {
	set := newSet(t)
	st := set.Open(walk(seeded(t), 260))
	before := encode(t, st)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1.1e100} {
		for name, field := range map[string]func(*candle.Candle) *float64{
			"high":   func(c *candle.Candle) *float64 { return &c.High },
			"low":    func(c *candle.Candle) *float64 { return &c.Low },
			"close":  func(c *candle.Candle) *float64 { return &c.Close },
			"volume": func(c *candle.Candle) *float64 { return &c.Volume },
			"vwap":   func(c *candle.Candle) *float64 { return &c.VWAP },
		} {
			c := at(10, 5)
			if !indicator.Usable(c) {
				t.Fatal("a plain candle is not usable")
			}
			*field(&c) = bad
			if indicator.Usable(c) || len(st.Peek(c, nil)) != 0 || len(st.Update(c, nil)) != 0 {
				t.Errorf("%s of %v: admitted", name, bad)
			}
		}
	}
	if !slices.Equal(encode(t, st), before) {
		t.Error("the state changed")
	}
}

// The session's average restarts with each day, stays through empty candles,
// and is absent until the day's first volume.
func TestSessionVWAP(t *testing.T) {
	set := newSet(t, "VWAP")
	st := set.Open(nil)
	for i, step := range []struct {
		day           int32
		price, volume float64
		want          float64 // 0: absent
	}{
		{20000, 10, 0, 0}, {20000, 10, 100, 10}, {20000, 13, 200, 12}, {20000, 99, 0, 12},
		{20001, 50, 0, 0}, {20001, 20, 1, 20}, {20001, 22, 1, 21}, {20003, 7, 3, 7},
	} {
		c := at(step.price, step.volume)
		c.Day = step.day
		out := st.Update(c, nil)
		switch {
		case step.want == 0:
			if len(out) != 0 {
				t.Errorf("step %d: got %v, want none", i, out)
			}
		case len(out) != 1 || out[0].Values[0] != step.want:
			t.Errorf("step %d: got %v, want %v", i, out, step.want)
		}
	}
}
