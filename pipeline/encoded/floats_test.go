package encoded_test

import (
	"math"
	"testing"

	"github.com/tickstock/tickstream/pipeline/encoded"
)

func TestFloats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []float64
		bytes  int // at most
	}{
		"none":            {nil, 1},
		"cents":           {[]float64{187.42, 187.43, 187.4, 187.44}, 8},
		"shares":          {[]float64{100, 200, 5e6}, 9},
		"mills and cents": {[]float64{1.001, 1.02, 1}, 8},
		"no decimals":     {[]float64{math.Pi, 1, 1e-300}, 25},
		"too large":       {[]float64{1e30, -1e30}, 17},
		"minus nothing":   {[]float64{math.Copysign(0, -1)}, 9},
		"negative":        {[]float64{-12.5, 12.5}, 6},
	} {
		written := encoded.AppendFloats([]byte{7}, c.values)[1:]
		if len(written) > c.bytes {
			t.Errorf("%s: %d bytes, want at most %d", name, len(written), c.bytes)
		}
		got := make([]float64, len(c.values))
		r := encoded.Reader{Left: written}
		r.Floats(got)
		if r.Failed || len(r.Left) > 0 {
			t.Errorf("%s: %d bytes are left, failed is %v", name, len(r.Left), r.Failed)
		}
		for i := range got {
			if math.Float64bits(got[i]) != math.Float64bits(c.values[i]) {
				t.Errorf("%s: number %d is %v, want %v", name, i, got[i], c.values[i])
			}
		}
		for n := range written {
			r := encoded.Reader{Left: written[:n]}
			if r.Floats(got); !r.Failed {
				t.Errorf("%s: cut to %d bytes it is read", name, n)
			}
		}
	}
}
