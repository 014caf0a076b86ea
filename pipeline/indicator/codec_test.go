package indicator_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/indicator"
)

func encode(t testing.TB, st *indicator.State) []byte {
	t.Helper()
	b, err := st.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sealed puts the checksum that a body needs behind it.
func sealed(body []byte) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestDecodeLeavesWhatFollows(t *testing.T) {
	set := newSet(t)
	st := set.Open(walk(seeded(t), 250))
	b, err := st.AppendBinary([]byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	got, rest, err := set.Decode(append(b, "after"...)[len("before"):])
	if err != nil || string(rest) != "after" {
		t.Fatalf("rest %q, %v", rest, err)
	}
	if !slices.Equal(encode(t, got), encode(t, st)) {
		t.Error("the decoded state differs")
	}
}

// Prices that are no decimals, of many decimals, of no size and negative come
// back to the bit, from rings that are empty, filling and full.
func TestEncodingIsExact(t *testing.T) {
	set := newSet(t)
	for name, price := range map[string]func(int) float64{
		"thirds":        func(i int) float64 { return 100 + float64(i)/3 },
		"nine decimals": func(i int) float64 { return 1.000000001 * float64(i%7) },
		"penny":         func(i int) float64 { return 0.0001 * float64(1+i%5) },
		"huge":          func(i int) float64 { return 1e99 / float64(1+i) },
		"tiny":          func(i int) float64 { return 5e-324 * float64(i) },
		"minus zero":    func(i int) float64 { return math.Copysign(0, -1) },
		"negative":      func(i int) float64 { return -0.25 * float64(i) },
	} {
		st := set.Open(nil)
		for i := range 230 {
			p := price(i)
			st.Update(candle.Candle{High: p, Low: p, Close: p, Volume: 1.5, VWAP: p}, nil)
			got, _, err := set.Decode(encode(t, st))
			if err != nil {
				t.Fatalf("%s, candle %d: %v", name, i, err)
			}
			c := candle.Candle{High: p + 1, Low: p - 1, Close: p, Volume: 2, VWAP: p}
			if a, b := got.Peek(c, nil), st.Peek(c, nil); !slices.Equal(a, b) {
				t.Fatalf("%s, candle %d: decoded %v, want %v", name, i, a, b)
			}
			if !slices.Equal(encode(t, got), encode(t, st)) {
				t.Fatalf("%s, candle %d: the decoded state differs", name, i)
			}
		}
	}
}

// Every truncation and every flipped bit is told, and so is another set.
func TestDecodeCorrupt(t *testing.T) {
	set := newSet(t, "SMA_5", "BB", "STOCH", "VOLUME_SMA_20")
	b := encode(t, set.Open(walk(rand.New(rand.NewPCG(3, 3)), 40)))
	for n := range b {
		if _, _, err := set.Decode(b[:n]); !errors.Is(err, indicator.ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for bit := range 8 * len(b) {
		bad := slices.Clone(b)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, _, err := set.Decode(bad); !errors.Is(err, indicator.ErrCorrupt) && !errors.Is(err, indicator.ErrOtherSet) {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
	}
	if _, _, err := newSet(t).Decode(b); !errors.Is(err, indicator.ErrOtherSet) {
		t.Errorf("another set: %v", err)
	}
}

// What a checksum does not exclude: values that no series leads to.
func TestDecodeOutOfBounds(t *testing.T) {
	set := newSet(t, "OBV")
	state := func(version byte, seen uint64, day int64, numbers ...float64) []byte {
		full := encode(t, set.Open(nil))
		_, n := binary.Uvarint(full[1:])
		b := append([]byte{version}, full[1:1+n]...)
		b = binary.AppendVarint(binary.AppendUvarint(b, seen), day)
		for _, x := range numbers {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		return sealed(append(b, 0, 0, 0, 0))
	}
	if _, _, err := set.Decode(state(1, 7, 20000, 9.5, 100)); err != nil {
		t.Fatalf("a sound state: %v", err)
	}
	for name, b := range map[string][]byte{
		"version":    state(2, 7, 20000, 9.5, 100),
		"candles":    state(1, 1<<60, 20000, 9.5, 100),
		"day":        state(1, 7, 1<<40, 9.5, 100),
		"last close": state(1, 7, 20000, math.NaN(), 100),
		"memory":     state(1, 7, 20000, 9.5, math.Inf(-1)),
	} {
		if _, _, err := set.Decode(b); !errors.Is(err, indicator.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Finite, but on the brink: what overflows is not given out.
	st, _, err := set.Decode(state(1, 7, 20000, 9.5, math.MaxFloat64))
	if err != nil {
		t.Fatal(err)
	}
	if got := st.Update(candle.Candle{Close: 10, Volume: 1}, nil); len(got) != 1 {
		t.Errorf("the greatest number: %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	set, few := newSet(f), newSet(f, "RSI", "STOCH", "SMA_10")
	rng := rand.New(rand.NewPCG(5, 5))
	for _, n := range []int{0, 1, 17, 260} {
		candles := walk(rng, n)
		for _, s := range []*indicator.Set{set, few} {
			b := encode(f, s.Open(candles))
			f.Add(b[:len(b)-4])
		}
	}
	candles := walk(rng, 30)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, s := range []*indicator.Set{set, few} {
			for _, b := range [][]byte{body, sealed(body)} {
				st, _, err := s.Decode(b)
				if err != nil {
					if !errors.Is(err, indicator.ErrCorrupt) && !errors.Is(err, indicator.ErrOtherSet) {
						t.Fatalf("unexpected error %v", err)
					}
					continue
				}
				again, rest, err := s.Decode(encode(t, st))
				if err != nil || len(rest) != 0 {
					t.Fatalf("its own encoding: %d bytes left, %v", len(rest), err)
				}
				for _, c := range candles {
					readings := st.Update(c, nil)
					if !slices.Equal(again.Update(c, nil), readings) {
						t.Fatal("the state and its decoded encoding differ")
					}
					for _, r := range readings {
						for _, x := range r.Values {
							if math.IsNaN(x) || math.IsInf(x, 0) {
								t.Fatalf("%v was given out", r)
							}
						}
					}
				}
			}
		}
	})
}
