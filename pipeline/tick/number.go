package tick

import (
	"math"
	"math/bits"
)

// number is a JSON number: mantissa × 10^exponent, where the mantissa holds
// the first 19 significant digits and rest says what the digits beyond are:
// enough to round exactly.
type number struct {
	mantissa uint64
	exponent int
	rest     rest
	negative bool
}

// rest is a part of a unit, compared with its half.
type rest uint8

const (
	restZero rest = iota
	restBelowHalf
	restHalf
	restAboveHalf
)

const (
	mantissaDigits = 19
	mantissaFull   = 1e18 // a mantissa from here on has all its digits

	// exponentBound caps an exponent where nothing depends on it any more: above
	// what the digits of the longest payload could make up for, and ten times it
	// is still an int of 32 bits.
	exponentBound = 1 << 27
)

var pow10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// scanNumber reads the JSON number at p[i:]. It returns the offset behind it,
// or that of the fault and false.
func scanNumber(p []byte, i int) (n number, end int, ok bool) {
	if i < len(p) && p[i] == '-' {
		n.negative = true
		i++
	}
	start := i
	var mantissa uint64 // wraps when it is too long, and is then read again
	for i < len(p) && p[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(p[i]-'0')
		i++
	}
	digits := i - start
	if digits == 0 {
		return n, i, false
	}
	if p[start] == '0' && digits > 1 {
		return n, start + 1, false
	}
	if i < len(p) && p[i] == '.' {
		i++
		point := i
		for i < len(p) && p[i]-'0' <= 9 {
			mantissa = mantissa*10 + uint64(p[i]-'0')
			i++
		}
		if i == point {
			return n, i, false
		}
		n.exponent = point - i
		digits += i - point
	}
	n.mantissa = mantissa
	if digits > mantissaDigits {
		negative := n.negative
		n = readDigits(p[start:i])
		n.negative = negative
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		exponent, end, ok := scanExponent(p, i+1)
		n.exponent += exponent
		return n, end, ok
	}
	return n, i, true
}

func scanExponent(p []byte, i int) (exponent, end int, ok bool) {
	negative := false
	if i < len(p) && (p[i] == '-' || p[i] == '+') {
		negative = p[i] == '-'
		i++
	}
	start := i
	for ; i < len(p) && p[i]-'0' <= 9; i++ {
		exponent = min(exponent*10+int(p[i]-'0'), exponentBound)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, i, i > start
}

// readDigits reads digits, with at most one point among them, of any length
// and with leading zeros.
func readDigits(digits []byte) number {
	var n number
	fraction, dropped := false, false
	for _, c := range digits {
		digit := c - '0'
		switch {
		case c == '.':
			fraction = true
			continue
		case n.mantissa < mantissaFull:
			n.mantissa = n.mantissa*10 + uint64(digit)
			if fraction {
				n.exponent--
			}
			continue
		case !dropped:
			dropped = true
			n.rest = restOf(uint64(digit), 10)
		case digit != 0 && (n.rest == restZero || n.rest == restHalf):
			n.rest++
		}
		if !fraction {
			n.exponent++
		}
	}
	return n
}

// restOf compares part, less than whole, with the half of whole.
func restOf(part, whole uint64) rest {
	switch half := whole / 2; {
	case part == 0:
		return restZero
	case part < half:
		return restBelowHalf
	case part == half:
		return restHalf
	default:
		return restAboveHalf
	}
}

// scale is the magnitude × 10^places as an integer, rounded half to even;
// false if that, under the number's sign, does not fit an int64.
func (n number) scale(places int) (uint64, bool) {
	exponent := n.exponent + places
	if n.mantissa == 0 || exponent < -mantissaDigits {
		return 0, true
	}
	scaled, left := n.mantissa, n.rest
	switch {
	case exponent > mantissaDigits:
		return 0, false
	case exponent > 0: // a rest does not matter: a full mantissa overflows here
		high, low := bits.Mul64(n.mantissa, pow10[exponent])
		if high != 0 {
			return 0, false
		}
		scaled = low
	case exponent < 0:
		divisor := pow10[-exponent]
		scaled = n.mantissa / divisor
		left = restOf(n.mantissa%divisor, divisor)
		if n.rest != restZero && (left == restZero || left == restHalf) {
			left++
		}
	}
	if left == restAboveHalf || left == restHalf && scaled&1 == 1 {
		scaled++
	}
	bound := uint64(math.MaxInt64)
	if n.negative {
		bound++
	}
	return scaled, scaled <= bound
}

// integerDigits is how many digits stand before the decimal point; zero or
// less for a magnitude under 1.
func (n number) integerDigits() int {
	digits := bits.Len64(n.mantissa) * 1233 >> 12 // 1233/4096 is just under log10(2)
	if n.mantissa >= pow10[digits] {
		digits++
	}
	return digits + n.exponent
}
