package encoded

import (
	"encoding/binary"
	"math"
)

// Numbers that belong together are written as a byte that says how, and each as
// the difference to the one before it. Prices are decimals of few places: where
// all are exact multiples of 10^-n, the byte is n and they are in that unit, some
// two bytes instead of eight.
const (
	// MaxDecimals is the most places that are tried.
	MaxDecimals = 9
	rawFloats   = 0xff
	maxExact    = 1 << 53 // every integer up to it is a float64
)

// pow10 holds the units of a number with so many decimals, exactly.
var pow10 = [MaxDecimals + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// ToUnits expresses x in units of 10^-decimals; exact tells whether
// [FromUnits] gives its very bits back.
func ToUnits(x float64, decimals int) (units int64, exact bool) {
	scaled := math.Round(x * pow10[decimals])
	if !(scaled >= -maxExact && scaled <= maxExact) {
		return 0, false
	}
	units = int64(scaled)
	return units, math.Float64bits(FromUnits(units, decimals)) == math.Float64bits(x)
}

// FromUnits is the inverse of [ToUnits].
func FromUnits(units int64, decimals int) float64 { return float64(units) / pow10[decimals] }

// AppendFloats appends values, bit for bit, without their number.
func AppendFloats(b []byte, values []float64) []byte {
	for decimals := range MaxDecimals + 1 {
		if inDecimals(values, decimals) {
			b = append(b, byte(decimals))
			var before int64
			for _, x := range values {
				units, _ := ToUnits(x, decimals)
				b = binary.AppendVarint(b, units-before)
				before = units
			}
			return b
		}
	}
	b = append(b, rawFloats)
	for _, x := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

func inDecimals(values []float64, decimals int) bool {
	for _, x := range values {
		if _, exact := ToUnits(x, decimals); !exact {
			return false
		}
	}
	return true
}

// Floats fills values with what [AppendFloats] wrote of as many.
func (r *Reader) Floats(values []float64) {
	decimals := r.Byte()
	if decimals == rawFloats {
		for i := range values {
			values[i] = r.Float()
		}
		return
	}
	if decimals > MaxDecimals {
		r.Failed = true
		return
	}
	var units int64
	for i := range values {
		units += r.Varint()
		if units < -maxExact || units > maxExact {
			r.Failed = true
			return
		}
		values[i] = FromUnits(units, int(decimals))
	}
}
