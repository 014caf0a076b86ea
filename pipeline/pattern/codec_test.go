package pattern_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tickstock/tickstream/pipeline/pattern"
)

func TestDecodeRefusesDamage(t *testing.T) {
	set := all(t)
	for _, length := range []int{0, 4, 200} {
		whole := encode(t, set.Open(wander(9, length)))
		if len(whole) > 1100 {
			t.Errorf("%d bytes", len(whole))
		}
		for n := range whole {
			if _, _, err := set.Decode(whole[:n]); !errors.Is(err, pattern.ErrCorrupt) {
				t.Fatalf("cut to %d of %d bytes: %v", n, len(whole), err)
			}
			for bit := range 8 {
				damaged := bytes.Clone(whole)
				damaged[n] ^= 1 << bit
				if _, _, err := set.Decode(damaged); !errors.Is(err, pattern.ErrCorrupt) {
					t.Fatalf("bit %d of byte %d flipped: %v", bit, n, err)
				}
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	set := all(f)
	for _, length := range []int{0, 1, 9, 10, 11, 60, 300} {
		f.Add(encode(f, set.Open(wander(9, length))), true)
	}
	f.Add([]byte{}, false)
	f.Add(bytes.Repeat([]byte{0xff}, 300), true)
	bars := wander(4, 60)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			b = pattern.Sealed(b)
		}
		st, rest, err := set.Decode(b)
		if err != nil {
			if !errors.Is(err, pattern.ErrCorrupt) || st != nil || rest != nil {
				t.Fatalf("%v with state %v", err, st)
			}
			return
		}
		// Whatever is accepted is canonical, and good to go on with.
		if again := encode(t, st); !bytes.Equal(again, b[:len(b)-len(rest)]) {
			t.Fatal("decoded and encoded again, it differs")
		}
		for _, bar := range bars {
			for _, m := range st.Update(bar, nil) {
				if !(m.Confidence >= 0 && m.Confidence <= 1) {
					t.Fatalf("confidence %v", m.Confidence)
				}
			}
		}
	})
}
