package tick

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Decimal is an exact decimal number in units of 1e-9: dollars of a price,
// shares of a volume. It adds and compares as the integer that it is.
type Decimal int64

// Bounds and the unit of a [Decimal].
const (
	One        Decimal = 1_000_000_000
	MaxDecimal Decimal = math.MaxInt64 // 9,223,372,036.854775807

	decimalPlaces = 9
)

// ErrDecimalSyntax is returned for text that is not one JSON number.
var ErrDecimalSyntax = errors.New("not a JSON number")

// ErrDecimalRange is returned for a number beyond what 64 bits hold, that is
// ±[MaxDecimal], and for a float that is not finite.
var ErrDecimalRange = errors.New("out of the range of a decimal")

// ParseDecimal reads a JSON number literal, an exponent form too. Decimals
// beyond the ninth are rounded half to even, so that 187.42000000000002, as
// binary floats come, is 187.42. The error is [ErrDecimalSyntax] or
// [ErrDecimalRange].
func ParseDecimal(literal []byte) (Decimal, error) {
	n, end, ok := scanNumber(literal, 0)
	if !ok || end != len(literal) {
		return 0, fmt.Errorf("parse decimal %.40q: %w", literal, ErrDecimalSyntax)
	}
	scaled, ok := n.scale(decimalPlaces)
	if !ok {
		return 0, fmt.Errorf("parse decimal %.40q: %w", literal, ErrDecimalRange)
	}
	if n.negative {
		return -Decimal(scaled), nil
	}
	return Decimal(scaled), nil
}

// DecimalFromFloat is f as its shortest decimal form reads, rounded to nine
// decimals. The error is [ErrDecimalRange].
func DecimalFromFloat(f float64) (Decimal, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("decimal from %v: %w", f, ErrDecimalRange)
	}
	var buf [32]byte
	return ParseDecimal(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
}

// AppendTo appends d as a plain JSON number, without exponent or trailing
// zeros.
func (d Decimal) AppendTo(dst []byte) []byte {
	magnitude := uint64(d)
	if d < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	dst = strconv.AppendUint(dst, magnitude/uint64(One), 10)
	fraction := magnitude % uint64(One)
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for fraction != 0 {
		fraction *= 10
		dst = append(dst, '0'+byte(fraction/uint64(One)))
		fraction %= uint64(One)
	}
	return dst
}

// String is d as [Decimal.AppendTo] writes it.
func (d Decimal) String() string {
	var buf [24]byte
	return string(d.AppendTo(buf[:0]))
}

// Float64 is the float nearest to d.
func (d Decimal) Float64() float64 {
	if d > -1<<53 && d < 1<<53 { // both operands exact: one rounding
		return float64(d) / float64(One)
	}
	// What AppendTo writes always parses.
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// MarshalJSON writes a plain number.
func (d Decimal) MarshalJSON() ([]byte, error) { return d.AppendTo(nil), nil }

// UnmarshalJSON reads a number as [ParseDecimal] does; null changes nothing.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	parsed, err := ParseDecimal(data)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
