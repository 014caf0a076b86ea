package pattern_test

import (
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
)

// sweep draws a shape that becomes clearer in one respect as t goes from 0 to
// 1. It follows bars with bodies of 1 and ranges of 2, from 99.5 to 101.5.
type sweep struct {
	name, measure string
	score         int
	shape         func(t float64) []candle.Candle
}

func bar(open, high, low, closing float64) candle.Candle {
	return candle.Candle{Open: open, High: high, Low: low, Close: closing}
}

// setting is the bars before a shape.
func setting() (bars []candle.Candle) {
	for range 10 {
		bars = append(bars, bar(100, 101.5, 99.5, 101), bar(101, 101.5, 99.5, 100))
	}
	return bars
}

func one(b candle.Candle) []candle.Candle     { return []candle.Candle{b} }
func bars(b ...candle.Candle) []candle.Candle { return b }
func mix(t, bare, clear float64) float64      { return bare + t*(clear-bare) }
func down(bars []candle.Candle) []candle.Candle { // mirrored around the setting
	for i, b := range bars {
		bars[i] = bar(201-b.Open, 201-b.Low, 201-b.High, 201-b.Close)
	}
	return bars
}

// sharp draws a head and shoulders that breaks its neckline in one clear bar,
// right after the right shoulder is known, wherever the neckline is.
func sharp(corners []corner) []candle.Candle {
	shoulder := corners[4].price
	return draw(100, append(corners[:5], corner{3, shoulder - 0.3}, corner{1, 95})...)
}

var sweeps = []sweep{
	{"Doji", "body", 100, func(t float64) []candle.Candle { return one(bar(100, 101, 99, mix(t, 100.19, 100))) }},
	{"Doji", "range", 100, func(t float64) []candle.Candle { return one(bar(100, mix(t, 100.1, 101), mix(t, 99.9, 99), 100.02)) }},
	{"Dragonfly Doji", "body", 100, func(t float64) []candle.Candle {
		return one(bar(mix(t, 99.85, 100), 100, 98, 100))
	}},
	{"Dragonfly Doji", "upper shadow", 100, func(t float64) []candle.Candle {
		return one(bar(100, mix(t, 100.19, 100), 98, 100))
	}},
	{"Dragonfly Doji", "lower shadow", 100, func(t float64) []candle.Candle {
		return one(bar(100, 100, mix(t, 99.79, 98), 100))
	}},
	{"Gravestone Doji", "upper shadow", 100, func(t float64) []candle.Candle {
		return one(bar(100, mix(t, 100.21, 102), 100, 100))
	}},
	{"Hammer", "lower shadow", 100, func(t float64) []candle.Candle {
		return one(bar(99.3, 99.7, mix(t, 98.8, 97.3), 99.7))
	}},
	{"Hammer", "upper shadow", 100, func(t float64) []candle.Candle {
		return one(bar(99.3, mix(t, 99.89, 99.7), 98, 99.7))
	}},
	{"Hammer", "place", 100, func(t float64) []candle.Candle {
		p := mix(t, 0.5, 0)
		return one(bar(99.3+p, 99.7+p, 98+p, 99.7+p))
	}},
	{"Hanging Man", "place", -100, func(t float64) []candle.Candle {
		p := mix(t, 0, 0.5)
		return one(bar(101.2+p, 101.6+p, 100+p, 101.6+p))
	}},
	{"Inverted Hammer", "gap", 100, func(t float64) []candle.Candle {
		p := mix(t, 0, 0.6)
		return one(bar(99.9-p, 101.4-p, 99.5-p, 99.5-p))
	}},
	{"Inverted Hammer", "upper shadow", 100, func(t float64) []candle.Candle {
		return one(bar(99.7, mix(t, 100.2, 102), 99.3, 99.3))
	}},
	{"Shooting Star", "gap", -100, func(t float64) []candle.Candle {
		p := mix(t, 0, 0.6)
		return bars(bar(100, 101.5, 99.5, 101), bar(101.1+p, 103+p, 101.1+p, 101.5+p))
	}},
	{"Bullish Engulfing", "reach", 100, func(t float64) []candle.Candle {
		return one(bar(mix(t, 99.99, 99.5), 103, 99, mix(t, 101.01, 102)))
	}},
	{"Bearish Engulfing", "reach", -100, func(t float64) []candle.Candle {
		return down(bars(bar(101, 101.5, 99.5, 100), bar(mix(t, 99.99, 99.5), 103, 99, mix(t, 101.01, 102))))
	}},
	{"Bullish Harami", "second body", 100, func(t float64) []candle.Candle {
		return bars(bar(103, 104, 99, 100), bar(101.5, 102, 101, mix(t, 102.4, 101.5)))
	}},
	{"Bullish Harami", "first body", 100, func(t float64) []candle.Candle {
		return bars(bar(101.2+mix(t, 0, 2), 104, 98, 100.1-mix(t, 0, 2)), bar(100.5, 101, 100, 100.6))
	}},
	{"Bearish Harami", "room", -100, func(t float64) []candle.Candle {
		p := mix(t, 0.05, 1)
		return bars(bar(100, 104, 99, 103), bar(103-p, 103.5, 102, 102.8-p))
	}},
	{"Piercing Line", "penetration", 100, func(t float64) []candle.Candle {
		return bars(bar(102, 102.2, 99.8, 100), bar(99.5, 103, 99, mix(t, 101.05, 101.99)))
	}},
	{"Piercing Line", "gap", 100, func(t float64) []candle.Candle {
		return bars(bar(102, 102.2, 99.8, 100), bar(mix(t, 99.79, 99), 103, 98.5, 101.5))
	}},
	{"Dark Cloud Cover", "penetration", -100, func(t float64) []candle.Candle {
		return down(bars(bar(102, 102.2, 99.8, 100), bar(99.5, 103, 99, mix(t, 101.05, 101.99))))
	}},
	{"Morning Star", "penetration", 100, func(t float64) []candle.Candle {
		return bars(bar(102, 102.2, 99.8, 100), bar(99.5, 99.8, 99.2, 99.6), bar(99.6, 102, 99.5, mix(t, 100.75, 102)))
	}},
	{"Morning Star", "gap", 100, func(t float64) []candle.Candle {
		p := mix(t, 0, 0.6)
		return bars(bar(102, 102.2, 99.8, 100), bar(99.8-p, 100-p, 99.2-p, 99.9-p), bar(99.6, 102, 99.5, 101.5))
	}},
	{"Evening Star", "star's body", -100, func(t float64) []candle.Candle {
		return down(bars(bar(102, 102.2, 99.8, 100), bar(99.5, 99.8, 98, mix(t, 98.5, 99.5)), bar(99.6, 102, 99.5, 101.5)))
	}},
	{"Three White Soldiers", "shadows", 100, func(t float64) []candle.Candle {
		s := mix(t, 0.18, 0)
		return bars(bar(100, 101.5+s, 99.8, 101.5), bar(101, 102.5+s, 100.9, 102.5), bar(102, 103.5+s, 101.9, 103.5))
	}},
	{"Three White Soldiers", "bodies", 100, func(t float64) []candle.Candle {
		l := mix(t, 1.25, 1.9)
		return bars(bar(100, 100+l, 99.8, 100+l), bar(101, 101+l, 100.9, 101+l), bar(102, 102+l, 101.9, 102+l))
	}},
	{"Three Black Crows", "shadows", -100, func(t float64) []candle.Candle {
		s := mix(t, 0.18, 0)
		return bars(bar(100, 104, 99.5, 101), bar(102, 102.1, 100.5-s, 100.5), bar(101, 101.1, 99.5-s, 99.5), bar(100, 100.1, 98.5-s, 98.5))
	}},
	{"Marubozu", "body", 100, func(t float64) []candle.Candle {
		l := mix(t, 1.05, 3)
		return one(bar(100, 100.02+l, 99.98, 100+l))
	}},
	{"Marubozu", "shadows", -100, func(t float64) []candle.Candle {
		s := mix(t, 0.19, 0)
		return one(bar(102, 102+s, 100-s, 100))
	}},
	{"Spinning Top", "shadows", 100, func(t float64) []candle.Candle {
		s := mix(t, 0.45, 1.5)
		return one(bar(100, 100.4+s, 100-s, 100.4))
	}},
	{"Spinning Top", "body", -100, func(t float64) []candle.Candle {
		return one(bar(100, 101, 98, mix(t, 99.1, 99.8)))
	}},
	{"Head and Shoulders", "right shoulder", -100, func(t float64) []candle.Candle {
		return sharp(with(4, corner{8, mix(t, 112.5, 110)}))
	}},
	{"Head and Shoulders", "neckline", -100, func(t float64) []candle.Candle {
		return sharp(with(3, corner{8, mix(t, 106.9, 105)}))
	}},
	{"Head and Shoulders", "head", -100, func(t float64) []candle.Candle {
		return sharp(with(2, corner{8, mix(t, 111, 125)}))
	}},
	{"Head and Shoulders", "time", -100, func(t float64) []candle.Candle {
		return sharp(with(4, corner{int(mix(t, 30, 8)), 110}))
	}},
	{"Inverse Head and Shoulders", "right shoulder", 100, func(t float64) []candle.Candle {
		return flip(sharp(with(4, corner{8, mix(t, 112.5, 110)})))
	}},
}

// TestConfidenceGrowsWithClarity sweeps each shape from bare to clear.
func TestConfidenceGrowsWithClarity(t *testing.T) {
	const steps = 50
	swept := map[string]bool{}
	for _, s := range sweeps {
		swept[s.name] = true
		set := all(t, s.name)
		first, last := -1.0, -1.0
		for step := range steps + 1 {
			series := append(setting(), s.shape(float64(step)/steps)...)
			confidence := -1.0
			for i, matches := range run(set, series) {
				// The setting itself may match; a drawn shape counts on any bar.
				if len(matches) == 1 && (i == len(series)-1 || matches[0].Shape.Neckline != 0) {
					confidence = matches[0].Confidence
					if matches[0].Score != s.score {
						t.Errorf("%s, %s, step %d: score %d, want %d", s.name, s.measure, step, matches[0].Score, s.score)
					}
				}
			}
			if confidence < 0 {
				t.Errorf("%s, %s, step %d: no match", s.name, s.measure, step)
				break
			}
			if confidence < last-1e-12 {
				t.Errorf("%s, %s, step %d: confidence falls from %v to %v", s.name, s.measure, step, last, confidence)
			}
			if step == 0 {
				first = confidence
			}
			last = confidence
		}
		if !(last > first+0.05) {
			t.Errorf("%s, %s: confidence goes from %v to %v", s.name, s.measure, first, last)
		}
	}
	for _, d := range all(t).Definitions() {
		if !swept[d.Name] {
			t.Errorf("%s is not swept", d.Name)
		}
	}
}

// TestTextbookShapesAreClear: drawn as in a textbook, each is worth 0.8, and
// just over its thresholds it is worth less than half.
func TestTextbookShapesAreClear(t *testing.T) {
	tests := []struct {
		name        string
		clear, bare []candle.Candle
	}{
		{"Doji", one(bar(100, 101.2, 98.8, 100)), one(bar(100, 100.25, 100, 100.19))},
		{"Dragonfly Doji", one(bar(100, 100, 98, 100)), one(bar(100, 100.3, 99.7, 100.15))},
		{"Hammer", one(bar(99.2, 99.6, 97.5, 99.6)), one(bar(99.4, 100.3, 98.6, 100.15))},
		{"Bullish Engulfing", one(bar(99.5, 102, 99, 101.8)), one(bar(99.99, 102, 99, 101.02))},
		{"Bullish Harami", bars(bar(103, 104, 99, 100), bar(101.4, 102, 101, 101.6)), bars(bar(101.2, 104, 99, 100), bar(100.05, 102, 100, 101))},
		{"Marubozu", one(bar(100, 102.8, 100, 102.8)), one(bar(100, 101.25, 99.85, 101.1))},
		{"Spinning Top", one(bar(100, 100.9, 99.2, 100.15)), one(bar(100, 101.7, 99.1, 100.8))},
		{"Morning Star",
			bars(bar(102, 102.2, 99.8, 100), bar(99.4, 99.6, 99.2, 99.45), bar(99.6, 102, 99.5, 101.9)),
			bars(bar(101.2, 102.2, 99.8, 100), bar(99.1, 100, 99, 99.95), bar(99.6, 102, 99.5, 100.8))},
		{"Head and Shoulders", draw(100, classic()...), draw(100, corner{10, 110}, corner{8, 105}, corner{8, 113}, corner{8, 106}, corner{34, 111.5}, corner{40, 98})},
	}
	for _, test := range tests {
		for _, drawn := range []struct {
			bars     []candle.Candle
			low, top float64
		}{{test.clear, 0.8, 1}, {test.bare, 0, 0.5}} {
			series := append(setting(), drawn.bars...)
			confidence := -1.0
			for i, matches := range run(all(t, test.name), series) {
				if len(matches) == 1 && (i == len(series)-1 || matches[0].Shape.Neckline != 0) {
					confidence = matches[0].Confidence
				}
			}
			if confidence < drawn.low || confidence > drawn.top {
				t.Errorf("%s: confidence %v, want %v to %v", test.name, confidence, drawn.low, drawn.top)
			}
		}
	}
}
