package pattern_test

import (
	"math"
	"slices"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

// corner is a turning point of a drawn price.
type corner struct {
	bars  int // from the corner before
	price float64
}

// draw returns bars along the straight lines between corners, each 0.2 high.
func draw(start float64, corners ...corner) []candle.Candle {
	price, bars := start, []candle.Candle{}
	add := func(open, closing float64) {
		bars = append(bars, candle.Candle{
			Start: int64(len(bars)) * 60,
			Open:  open, Close: closing,
			High: max(open, closing) + 0.1, Low: min(open, closing) - 0.1,
		})
	}
	for _, c := range corners {
		step := (c.price - price) / float64(c.bars)
		for range c.bars {
			add(price, price+step)
			price += step
		}
	}
	return bars
}

// flip draws bars upside down.
func flip(bars []candle.Candle) []candle.Candle {
	flipped := make([]candle.Candle, len(bars))
	for i, b := range bars {
		flipped[i] = b
		flipped[i].Open, flipped[i].Close = 300-b.Open, 300-b.Close
		flipped[i].High, flipped[i].Low = 300-b.Low, 300-b.High
	}
	return flipped
}

// classic is a head of 120 between shoulders of 110 over a neckline of 105.
func classic() []corner {
	return []corner{{10, 110}, {8, 105}, {8, 120}, {8, 105}, {8, 110}, {12, 98}}
}

// with returns the classic shape with one corner changed.
func with(i int, c corner) []corner {
	corners := classic()
	corners[i] = c
	return corners
}

func TestHeadAndShouldersOnDrawnShapes(t *testing.T) {
	tests := []struct {
		name    string
		corners []corner
		count   int
	}{
		{"classic", classic(), 1},
		{"after a longer rise", append([]corner{{30, 90}, {10, 110}}, classic()[1:]...), 1},
		{"sloping neckline", with(3, corner{8, 107}), 1},
		{"unequal shoulders within tolerance", with(4, corner{8, 112}), 1},
		{"quick", []corner{{4, 110}, {4, 105}, {4, 120}, {4, 105}, {4, 110}, {6, 98}}, 1},
		{"slow second half", with(4, corner{16, 110}), 1},

		{"no break of the neckline", with(5, corner{4, 105.5}), 0},
		{"head no higher than the shoulders", with(2, corner{8, 110}), 0},
		{"right shoulder as high as the head", with(4, corner{8, 120}), 0},
		{"right shoulder far higher than the left", with(4, corner{8, 116}), 0},
		{"right shoulder hardly there", with(4, corner{8, 106}), 0},
		{"steep neckline", with(3, corner{8, 111}), 0},
		{"lopsided in time", with(4, corner{60, 110}), 0},
		{"no right shoulder", []corner{{10, 110}, {8, 105}, {8, 120}, {20, 90}}, 0},
		{"right shoulder passed before the break", append(classic()[:5], corner{4, 107}, corner{8, 112}, corner{20, 90}), 0},
		{"break too late", append(classic()[:5], corner{4, 107}, corner{60, 107}, corner{10, 90}), 0},
		{"straight line", []corner{{60, 200}}, 0},
	}
	for _, test := range tests {
		bars := draw(100, test.corners...)
		if got := countShapes(t, bars, "Head and Shoulders", -100); got != test.count {
			t.Errorf("%s: %d tops, want %d", test.name, got, test.count)
		}
		if got := countShapes(t, bars, "Inverse Head and Shoulders", 100); got != 0 {
			t.Errorf("%s: %d inverse ones", test.name, got)
		}
		if got := countShapes(t, flip(bars), "Inverse Head and Shoulders", 100); got != test.count {
			t.Errorf("%s upside down: %d, want %d", test.name, got, test.count)
		}
		if got := countShapes(t, flip(bars), "Head and Shoulders", -100); got != 0 {
			t.Errorf("%s upside down: %d tops", test.name, got)
		}
	}
}

func countShapes(t *testing.T, bars []candle.Candle, name string, score int) (count int) {
	t.Helper()
	for _, matches := range run(all(t, name), bars) {
		for _, m := range matches {
			if m.Score != score {
				t.Errorf("%s scores %d, want %d", name, m.Score, score)
			}
			count++
		}
	}
	return count
}

// TestHeadAndShouldersConfirmingBar pins the bar and what the match tells.
func TestHeadAndShouldersConfirmingBar(t *testing.T) {
	bars := draw(100, classic()...)
	found := run(all(t, "Head and Shoulders"), bars)
	i := slices.IndexFunc(found, func(m []pattern.Match) bool { return len(m) > 0 })
	if i < 0 {
		t.Fatal("no match")
	}
	m := found[i][0]
	s := m.Shape
	if !(bars[i].Close < s.Neckline) || !(bars[i-1].Close >= s.Neckline) {
		t.Errorf("bar %d closes at %v after %v; neckline %v", i, bars[i].Close, bars[i-1].Close, s.Neckline)
	}
	if math.Abs(s.Neckline-104.9) > 1e-9 || m.Bars != i-9+1 {
		t.Errorf("neckline %v, %d bars at bar %d", s.Neckline, m.Bars, i)
	}
	for _, p := range []struct {
		pivot pattern.Pivot
		bar   int64
		price float64
	}{
		{s.LeftShoulder, 9, 110.1}, {s.LeftTrough, 17, 104.9}, {s.Head, 25, 120.1},
		{s.RightTrough, 33, 104.9}, {s.RightShoulder, 41, 110.1},
	} {
		if p.pivot.Start != p.bar*60 || math.Abs(p.pivot.Price-p.price) > 1e-9 {
			t.Errorf("pivot %+v, want bar %d at %v", p.pivot, p.bar, p.price)
		}
	}
}

// TestPivotOnPlateau: the first bar of a flat top is the pivot.
func TestPivotOnPlateau(t *testing.T) {
	bars := draw(100, corner{10, 110}, corner{8, 105}, corner{8, 120}, corner{2, 120}, corner{8, 105}, corner{8, 110}, corner{12, 98})
	found := 0
	for _, matches := range run(all(t, "Head and Shoulders"), bars) {
		for _, m := range matches {
			found++
			if m.Shape.Head.Start != 25*60 {
				t.Errorf("head on bar %d", m.Shape.Head.Start/60)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d shapes", found)
	}
}
