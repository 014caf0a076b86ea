package indicator

import (
	"encoding/binary"
	"github.com/tickstock/tickstream/pipeline/encoded"
	"math"
)

// A ring is written as a byte that says how, and its values from the oldest.
// Prices are decimals of few places: where all values are exact multiples of
// 10^-n, the byte is n and each value the difference to the one before it in
// that unit, some two bytes instead of eight.
const (
	maxDecimals = 9
	rawFloats   = 0xff
	maxExact    = 1 << 53 // every integer up to it is a float64
)

func (st *State) appendRing(b []byte, which int) []byte {
	kept := st.kept(which)
	for decimals := range maxDecimals + 1 {
		if st.inDecimals(which, decimals) {
			b = append(b, byte(decimals))
			var before int64
			for n := kept; n > 0; n-- {
				units, _ := toUnits(st.ago(which, n), decimals)
				b = binary.AppendVarint(b, units-before)
				before = units
			}
			return b
		}
	}
	b = append(b, rawFloats)
	for n := kept; n > 0; n-- {
		b = appendFloat(b, st.ago(which, n))
	}
	return b
}

// readRing fills a ring for st.seen candles, and tells whether it makes sense.
func (st *State) readRing(r *encoded.Reader, which int) bool {
	decimals := r.Byte()
	if decimals > maxDecimals && decimals != rawFloats {
		return false
	}
	// The place of a candle is its number mod size, in a decoded state too, so
	// that equal states are equal in memory.
	kept, size := st.kept(which), st.set.rings[which].size
	if size > 0 {
		st.next[which] = int32((st.seen - int64(kept)) % int64(size))
	}
	sound := true
	var units int64
	for range kept {
		var x float64
		if decimals == rawFloats {
			x = r.Float()
		} else {
			units += r.Varint()
			sound = sound && units >= -maxExact && units <= maxExact
			x = float64(units) / pow10[decimals]
		}
		sound = sound && within(x)
		st.push(which, x)
	}
	return sound
}

// inDecimals tells whether every value of a ring has at most that many places.
func (st *State) inDecimals(which, decimals int) bool {
	for n := st.kept(which); n > 0; n-- {
		if _, exact := toUnits(st.ago(which, n), decimals); !exact {
			return false
		}
	}
	return true
}

// pow10 holds the units of a value with so many decimals, exactly.
var pow10 = [maxDecimals + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// toUnits expresses x in units of 10^-decimals, and tells whether that gives
// its very bits back.
func toUnits(x float64, decimals int) (units int64, exact bool) {
	scaled := math.Round(x * pow10[decimals])
	if !(scaled >= -maxExact && scaled <= maxExact) {
		return 0, false
	}
	back := scaled / pow10[decimals]
	return int64(scaled), math.Float64bits(back) == math.Float64bits(x)
}
