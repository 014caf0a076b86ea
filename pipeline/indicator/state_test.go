package indicator_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/indicator"
)

// walk is a random series with flat stretches and gaps.
func walk(random *rand.Rand, n int) []candle.Candle {
	price := 1 + random.Float64()*500
	candles := make([]candle.Candle, n)
	for i := range candles {
		c := candle.Candle{Start: int64(i) * 60, Day: int32(i / 50), Open: price, High: price, Low: price, Close: price, VWAP: price}
		if random.IntN(10) > 0 {
			price = max(0.01, price+math.Round(random.NormFloat64()*100)/100)
			c.Close = price
			c.High, c.Low = max(c.Open, c.Close)+random.Float64(), min(c.Open, c.Close)*(1-random.Float64()/100)
			c.Volume = float64(random.IntN(10000))
		}
		candles[i] = c
	}
	return candles
}

// However the bars come in, peeked at, copied or stored in between, each gives
// the same to the bit.
func TestOneByOneIsTheSameAsTogether(t *testing.T) {
	t.Parallel()
	s := set(t)
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		candles := walk(random, 450)
		state := s.Open(nil)
		for i, c := range candles {
			peeked := state.Peek(c, nil)
			if random.IntN(20) == 0 {
				encoded, err := state.AppendBinary([]byte("x"))
				if err != nil {
					t.Fatal(err)
				}
				decoded, rest, err := s.Decode(append(encoded, 'y')[1:])
				if err != nil || string(rest) != "y" {
					t.Fatalf("seed %d bar %d: decoded with %q left over, %v", seed, i, rest, err)
				}
				state = s.Open(nil)
				state.Copy(decoded)
			}
			got := state.Update(c, nil)
			if !reflect.DeepEqual(got, peeked) {
				t.Fatalf("seed %d bar %d: peeked %v, then got %v", seed, i, peeked, got)
			}
			if i%37 == 0 {
				if want := s.Open(candles[:i]).Update(c, nil); !reflect.DeepEqual(got, want) {
					t.Fatalf("seed %d bar %d: %v one by one, %v together", seed, i, got, want)
				}
			}
		}
	}
}

func TestChosenIndicatorsAreThoseOfAll(t *testing.T) {
	t.Parallel()
	all, some := set(t), set(t, "RSI", "BB", "SMA_20")
	one, other := all.Open(nil), some.Open(nil)
	for _, c := range walk(rand.New(rand.NewPCG(7, 7)), 60) {
		want := map[string][3]float64{}
		for _, r := range one.Update(c, nil) {
			want[all.Definitions()[r.Indicator].Name] = r.Values
		}
		for _, r := range other.Update(c, nil) {
			if name := some.Definitions()[r.Indicator].Name; want[name] != r.Values {
				t.Fatalf("%s: %v alone, %v among all", name, r.Values, want[name])
			}
		}
	}
	if _, err := indicator.NewSet("RSI", "RSI_15"); err == nil {
		t.Error("RSI_15 is taken as known")
	}
}

func TestSessionAverage(t *testing.T) {
	t.Parallel()
	s := set(t, indicator.VWAP)
	state := s.Open(nil)
	for i, c := range []struct {
		day          int32
		vwap, volume float64
		want         float64 // below 0: none
	}{{1, 10, 0, -1}, {1, 10, 1, 10}, {1, 20, 3, 17.5}, {1, 99, 0, 17.5}, {2, 5, 0, -1}, {2, 5, 2, 5}} {
		readings := state.Update(candle.Candle{Day: c.day, VWAP: c.vwap, Volume: c.volume, Close: 1}, nil)
		switch {
		case c.want < 0 && len(readings) > 0:
			t.Errorf("bar %d: %v without volume", i, readings)
		case c.want >= 0 && (len(readings) != 1 || readings[0].Values[0] != c.want):
			t.Errorf("bar %d: %v, want %v", i, readings, c.want)
		}
	}
}

func TestNothingThatIsNotFiniteComesOut(t *testing.T) {
	t.Parallel()
	state := set(t).Open(nil)
	for _, price := range []float64{math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.NaN(), 1, 2} {
		for range 30 {
			for _, r := range state.Update(candle.Candle{Open: price, High: price, Low: price, Close: price, Volume: price, VWAP: price}, nil) {
				for _, v := range r.Values {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("%v gives %v", price, r)
					}
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := set(f)
	for _, n := range []int{0, 1, 30, 300} {
		encoded, err := s.Open(walk(rand.New(rand.NewPCG(1, 1)), n)).AppendBinary(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		state, _, err := s.Decode(data)
		if err != nil {
			if !errors.Is(err, indicator.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		var out []indicator.Reading
		for _, c := range walk(rand.New(rand.NewPCG(2, 2)), 30) {
			out = state.Update(c, out[:0])
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	s := set(b)
	candles := walk(rand.New(rand.NewPCG(1, 1)), 1024)
	state := s.Open(candles)
	out := make([]indicator.Reading, 0, len(s.Definitions()))
	b.ReportAllocs()
	b.ReportMetric(float64(reflect.TypeFor[indicator.State]().Size()), "B/state")
	for i := 0; b.Loop(); i++ {
		out = state.Update(candles[i%1024], out[:0])
	}
}
