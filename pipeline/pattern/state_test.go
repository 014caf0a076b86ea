package pattern_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

// wander returns bars of a seeded random walk on a coarse grid, with flat
// runs, gaps and swings, so that every pattern occurs.
func wander(seed uint64, count int) []candle.Candle {
	random := rand.New(rand.NewPCG(seed, 1))
	grid := []float64{0.0001, 0.01, 0.25, 1000}[seed%4]
	bars, price := []candle.Candle{}, 500
	for i := range count {
		open := price + []int{0, 0, 0, 1, -1, 6, -6}[random.IntN(7)]
		closing := open
		if i%50 > 5 {
			closing += random.IntN(15) - 7 + int(4*math.Sin(float64(i)/5))
		}
		high := max(open, closing) + random.IntN(3)*random.IntN(4)
		low := min(open, closing) - random.IntN(3)*random.IntN(4)
		bars = append(bars, candle.Candle{
			Start: int64(i) * 60,
			Open:  float64(open) * grid, High: float64(high) * grid,
			Low: float64(low) * grid, Close: float64(closing) * grid,
		})
		price = closing
	}
	return bars
}

func encode(t testing.TB, st *pattern.State) []byte {
	t.Helper()
	b, err := st.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEveryPatternOccurs(t *testing.T) {
	set := all(t)
	seen := map[int]bool{}
	for seed := range uint64(40) {
		for _, matches := range run(set, wander(seed, 1000)) {
			for _, m := range matches {
				seen[m.Pattern] = true
			}
		}
	}
	for i, d := range set.Definitions() {
		if !seen[i] {
			t.Errorf("%s never occurs in the walks that the properties below run on", d.Name)
		}
	}
}

// TestResumedAnywhere: one by one, opened on a history, peeked, copied and
// decoded at a random bar all go on with the same matches and the same bytes.
func TestResumedAnywhere(t *testing.T) {
	set := all(t)
	for seed := range uint64(40) {
		bars := wander(seed, 400)
		want := run(set, bars)
		cut := rand.New(rand.NewPCG(seed, 2)).IntN(len(bars))
		if seed < 20 {
			cut = int(seed) // while the averages still fill
		}
		opened := set.Open(bars[:cut])
		tail := []byte("what follows")
		decoded, rest, err := set.Decode(append(encode(t, opened), tail...))
		if err != nil || !bytes.Equal(rest, tail) {
			t.Fatalf("seed %d cut %d: %v, rest %q", seed, cut, err, rest)
		}
		copied := set.Open(bars[:5])
		copied.Copy(opened)
		for i, bar := range bars[cut:] {
			i += cut
			before := encode(t, opened)
			peeked := opened.Peek(bar, nil)
			if !bytes.Equal(before, encode(t, opened)) {
				t.Fatalf("seed %d bar %d: Peek changed the state", seed, i)
			}
			for name, got := range map[string][]pattern.Match{
				"peek": peeked, "open": opened.Update(bar, nil),
				"decoded": decoded.Update(bar, nil), "copy": copied.Update(bar, nil),
			} {
				if !reflect.DeepEqual(got, want[i]) {
					t.Fatalf("seed %d cut %d bar %d: %s gives %+v, want %+v", seed, cut, i, name, got, want[i])
				}
			}
			if !bytes.Equal(encode(t, opened), encode(t, decoded)) || !bytes.Equal(encode(t, opened), encode(t, copied)) {
				t.Fatalf("seed %d cut %d bar %d: states differ", seed, cut, i)
			}
		}
	}
}

// TestScaleDoesNotMatter: prices times a power of two, which is exact, give
// the same matches.
func TestScaleDoesNotMatter(t *testing.T) {
	set := all(t)
	bars := wander(3, 1000)
	want := run(set, bars)
	for _, scale := range []float64{1.0 / 4096, 1 << 30} {
		scaled := slices.Clone(bars)
		for i := range scaled {
			b := &scaled[i]
			b.Open, b.High, b.Low, b.Close = b.Open*scale, b.High*scale, b.Low*scale, b.Close*scale
		}
		for i, got := range run(set, scaled) {
			if len(got) != len(want[i]) {
				t.Fatalf("bar %d at scale %v: %d matches, want %d", i, scale, len(got), len(want[i]))
			}
			for k := range got {
				if got[k].Score != want[i][k].Score || got[k].Confidence != want[i][k].Confidence {
					t.Fatalf("bar %d at scale %v: %+v, want %+v", i, scale, got[k], want[i][k])
				}
			}
		}
	}
}

// TestUnusableBar: it matches nothing and the series begins anew.
func TestUnusableBar(t *testing.T) {
	set := all(t)
	bars := wander(1, 200)
	for _, price := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e301} {
		st := set.Open(bars)
		bad := bars[0]
		bad.High = price
		if got := st.Update(bad, nil); len(got) != 0 {
			t.Errorf("price %v gives %+v", price, got)
		}
		if !bytes.Equal(encode(t, st), encode(t, set.Open(nil))) {
			t.Errorf("price %v: the series goes on", price)
		}
	}
}

func TestHugePricesStayFinite(t *testing.T) {
	set := all(t)
	st := set.Open(nil)
	for i := range 100 {
		p := 1e300
		if i%2 == 0 {
			p = -p
		}
		for _, m := range st.Update(candle.Candle{Open: p, High: 1e300, Low: -1e300, Close: -p}, nil) {
			if !(m.Confidence >= 0 && m.Confidence <= 1) {
				t.Fatalf("confidence %v", m.Confidence)
			}
		}
		if _, _, err := set.Decode(encode(t, st)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSetChooses(t *testing.T) {
	chosen := all(t, "Hammer", "Doji", "Hammer", "Head and Shoulders")
	var names []string
	for _, d := range chosen.Definitions() {
		names = append(names, d.Name)
	}
	if got := strings.Join(names, ","); got != "Doji,Hammer,Head and Shoulders" {
		t.Errorf("chosen %s", got)
	}
	if _, err := pattern.NewSet("Doji", "Dojo"); err == nil || !strings.Contains(err.Error(), `"Dojo"`) ||
		!strings.Contains(err.Error(), "Inverse Head and Shoulders") {
		t.Errorf("unknown name: %v", err)
	}
	for _, d := range all(t).Definitions() {
		if d.Token != strings.ReplaceAll(d.Name, " ", "_") || strings.ContainsAny(d.Token, " .*>") {
			t.Errorf("token %q", d.Token)
		}
	}
}

// TestChoiceDoesNotMatter: a pattern is the same whatever else is asked for.
func TestChoiceDoesNotMatter(t *testing.T) {
	bars := wander(5, 600)
	full := all(t)
	want := run(full, bars)
	for index, d := range full.Definitions() {
		for i, got := range run(all(t, d.Name), bars) {
			var alone []pattern.Match
			for _, m := range want[i] {
				if m.Pattern == index {
					m.Pattern = 0
					alone = append(alone, m)
				}
			}
			if !reflect.DeepEqual(got, alone) {
				t.Fatalf("%s bar %d: %+v alone, %+v among all", d.Name, i, got, alone)
			}
		}
	}
}

func TestUpdateAndPeekDoNotAllocate(t *testing.T) {
	set := all(t)
	bars := wander(7, 2000)
	st := set.Open(bars[:100])
	out := make([]pattern.Match, 0, len(set.Definitions()))
	i := 100
	if allocs := testing.AllocsPerRun(1500, func() {
		out = st.Peek(bars[i], out[:0])
		out = st.Update(bars[i], out[:0])
		i++
	}); allocs != 0 {
		t.Errorf("%v allocations per bar", allocs)
	}
}

func BenchmarkUpdateAllPatterns(b *testing.B) {
	set := all(b)
	bars := wander(7, 4096)
	st := set.Open(bars)
	out := make([]pattern.Match, 0, len(set.Definitions()))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		out = st.Update(bars[i%len(bars)], out[:0])
	}
	b.ReportMetric(float64(reflect.TypeFor[pattern.State]().Size()), "B/state")
	b.ReportMetric(float64(len(encode(b, st))), "B/encoded")
}
