package indicator

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A ring gives each value back to the bit, whatever was before it.
func TestRingsAreExact(t *testing.T) {
	t.Parallel()
	set, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(4, 5))
	kinds := []func() float64{
		func() float64 { return float64(random.IntN(1000)) },
		func() float64 { return float64(random.IntN(1e6)) / 100 },
		func() float64 { return float64(random.IntN(1e6)) / 1e4 },
		func() float64 { return float64(random.Int64N(1e15)) },
		func() float64 { return -random.Float64() },
		func() float64 { return math.Copysign(0, -1) },
		func() float64 { return 1e-9 },
	}
	for round := range 40 {
		st, size := set.newState(), set.rings[closes].size
		var all []float64
		for range 3 * size {
			x := kinds[random.IntN(1+round%len(kinds))]()
			if random.IntN(50) > 0 {
				x = kinds[0]()
			}
			st.push(closes, x)
			all = append(all, x)
			for range 5 {
				n := 1 + random.IntN(min(len(all), size))
				if got, want := st.ago(closes, n), all[len(all)-n]; math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("round %d: %v, %d candles ago, is %v", round, want, n, got)
				}
			}
		}
	}
}
