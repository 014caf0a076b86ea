package indicator_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/indicator"
)

var names = []string{"SMA_5", "SMA_10", "SMA_20", "SMA_50", "SMA_100", "SMA_200", "EMA_12", "EMA_26", "EMA_50",
	"RSI", "MACD", "BB", "ATR", "STOCH", "VWAP", "OBV", "VOLUME_SMA_20"}

// walk returns n candles of a random walk with flat runs, gaps, empty candles
// and, rarely, one that is not usable.
func walk(rng *rand.Rand, n int) []candle.Candle {
	candles := make([]candle.Candle, n)
	price := 1 + 500*rng.Float64()
	cents := func(x float64) float64 { return float64(int64(x*100)) / 100 }
	for i := range candles {
		c := &candles[i]
		*c = candle.Candle{Start: int64(i) * 60, Day: int32(20000 + i/97), Open: cents(price), Volume: float64(rng.IntN(9000))}
		switch rng.IntN(12) {
		case 0, 1, 2:
			c.Volume = 0
		case 3:
			price *= 0.8 + 0.4*rng.Float64()
		default:
			price += (rng.Float64() - 0.5) * price / 100
		}
		c.Close = cents(price)
		c.High, c.Low = max(c.Open, c.Close)+0.03, min(c.Open, c.Close)-0.02
		c.VWAP = (c.High + c.Low) / 2
		if rng.IntN(200) == 0 {
			c.High /= 0
		}
	}
	return candles
}

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// At every candle of a random walk, for random sets: a state built one by one
// says what one opened on the whole history does; Peek says what Update will,
// and changes nothing; a copy and a decoded state go on alike. All to the bit.
func TestEveryWayToAStateAgrees(t *testing.T) {
	rng := seeded(t)
	for range 12 {
		var chosen []string
		for _, name := range names {
			if rng.IntN(2) == 0 {
				chosen = append(chosen, name)
			}
		}
		set := newSet(t, chosen...)
		candles := walk(rng, 450)
		st := set.Open(nil)
		copied := new(indicator.State)
		decoded := set.Open(nil)
		for i, c := range candles {
			before := encode(t, st)
			peeked := st.Peek(c, nil)
			st.Peek(candles[rng.IntN(len(candles))], nil)
			if after := encode(t, st); !slices.Equal(before, after) {
				t.Fatalf("candle %d: Peek changed the state", i)
			}
			readings := st.Update(c, nil)
			opened := set.Open(candles[:i])
			for name, got := range map[string][]indicator.Reading{
				"Peek": peeked, "Open": opened.Update(c, nil), "decoded": decoded.Update(c, nil),
			} {
				if !slices.Equal(got, readings) {
					t.Fatalf("candle %d: %s gives %v, Update %v", i, name, got, readings)
				}
			}
			if i > 0 {
				if got := copied.Update(c, nil); !slices.Equal(got, readings) {
					t.Fatalf("candle %d: the copy gives %v, Update %v", i, got, readings)
				}
			}
			if !slices.Equal(encode(t, opened), encode(t, st)) {
				t.Fatalf("candle %d: opened on the history, the state differs", i)
			}
			if i == 0 || rng.IntN(5) == 0 {
				copied.Copy(st)
				var err error
				if decoded, _, err = set.Decode(encode(t, st)); err != nil {
					t.Fatalf("candle %d: %v", i, err)
				}
			}
		}
	}
}

// A smaller set says what the full one says of the same indicators.
func TestSetsAreIndependent(t *testing.T) {
	candles := walk(seeded(t), 300)
	all := newSet(t)
	for d, name := range names {
		st, full := newSet(t, name).Open(nil), all.Open(nil)
		for i, c := range candles {
			var want []indicator.Reading
			for _, r := range full.Update(c, nil) {
				if r.Indicator == d {
					r.Indicator = 0
					want = append(want, r)
				}
			}
			if got := st.Update(c, nil); !slices.Equal(got, want) {
				t.Fatalf("%s, candle %d: alone %v, in the full set %v", name, i, got, want)
			}
		}
	}
}

func TestCopyIsIndependent(t *testing.T) {
	rng := seeded(t)
	all, few := newSet(t), newSet(t, "SMA_5", "VWAP")
	from := all.Open(walk(rng, 300))
	to := few.Open(walk(rng, 20))
	to.Copy(from)
	before := encode(t, from)
	for _, c := range walk(rng, 250) {
		to.Update(c, nil)
	}
	if !slices.Equal(before, encode(t, from)) {
		t.Error("what was copied from changed with the copy")
	}
	if allocs := testing.AllocsPerRun(20, func() { to.Copy(from) }); allocs != 0 {
		t.Errorf("Copy into a state of the same set allocates %v times", allocs)
	}
}

func TestNewSet(t *testing.T) {
	var all []string
	for _, d := range newSet(t).Definitions() {
		all = append(all, d.Name)
		if d.Main >= len(d.Outputs) || len(d.Outputs) > indicator.MaxOutputs {
			t.Errorf("%s: main output %d of %v", d.Name, d.Main, d.Outputs)
		}
	}
	if !slices.Equal(all, names) {
		t.Errorf("no names: got %v", all)
	}
	some := newSet(t, "OBV", "BB", "OBV", "STOCH", "MACD").Definitions()
	var got []string
	for _, d := range some {
		got = append(got, d.Name+"/"+d.Outputs[d.Main])
	}
	if want := []string{"MACD/macd", "BB/middle", "STOCH/k", "OBV/value"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, err := indicator.NewSet("RSI", "rsi")
	if err == nil || !strings.Contains(err.Error(), `"rsi"`) || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
		t.Errorf("unknown name: %v", err)
	}
}

// Memory matters: there are two states for each of ten thousand symbols.
func TestBytesPerState(t *testing.T) {
	for _, test := range []struct {
		names []string
		most  uint64
	}{
		{nil, 2432},
		{[]string{"SMA_5", "SMA_20", "EMA_12", "EMA_26", "RSI", "MACD", "BB", "VWAP"}, 400},
		{[]string{"RSI"}, 112},
	} {
		set := newSet(t, test.names...)
		states := make([]*indicator.State, 2000)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range states {
			states[i] = set.Open(nil)
		}
		runtime.ReadMemStats(&after)
		// Open also makes room for the readings of its history, and drops it.
		dropped := uint64(len(set.Definitions())) * 32
		each := (after.TotalAlloc-before.TotalAlloc)/uint64(len(states)) - dropped
		t.Logf("%d indicators: %d bytes a state, %d encoded", len(set.Definitions()), each,
			len(encode(t, set.Open(walk(seeded(t), 300)))))
		if each > test.most {
			t.Errorf("%d indicators: %d bytes a state, want at most %d", len(set.Definitions()), each, test.most)
		}
		runtime.KeepAlive(states)
	}
}

func TestNoAllocations(t *testing.T) {
	set := newSet(t)
	candles := walk(seeded(t), 300)
	st := set.Open(candles)
	out := make([]indicator.Reading, 0, len(set.Definitions()))
	i := 0
	if allocs := testing.AllocsPerRun(500, func() {
		c := candles[i%len(candles)]
		i++
		out = st.Peek(c, out[:0])
		out = st.Update(c, out[:0])
	}); allocs != 0 {
		t.Errorf("Peek and Update allocate %v times", allocs)
	}
}

func BenchmarkUpdate(b *testing.B) {
	candles := walk(rand.New(rand.NewPCG(1, 1)), 1000)
	set := newSet(b)
	st := set.Open(candles)
	out := make([]indicator.Reading, 0, len(set.Definitions()))
	for name, step := range map[string]func(candle.Candle, []indicator.Reading) []indicator.Reading{
		"update": st.Update, "peek": st.Peek,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				out = step(candles[i%len(candles)], out[:0])
			}
		})
	}
}

func BenchmarkAppendBinary(b *testing.B) {
	st := newSet(b).Open(walk(rand.New(rand.NewPCG(1, 1)), 1000))
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = st.AppendBinary(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "bytes/state")
}
