// Package exact sums decimals without rounding: shares in 128 bits, money in
// 192. A sum depends on what was added and never on the order.
package exact

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/tickstock/tickstream/pipeline/tick"
)

// Quantity is an exact sum of non-negative decimals in units of 1e-9: the
// shares of a bar. It holds 2^64 of the greatest decimals.
type Quantity struct{ High, Low uint64 }

// Add adds d, which must not be negative.
func (q *Quantity) Add(d tick.Decimal) {
	var carry uint64
	q.Low, carry = bits.Add64(q.Low, uint64(d), 0)
	q.High += carry
}

// Merge adds other.
func (q *Quantity) Merge(other Quantity) {
	var carry uint64
	q.Low, carry = bits.Add64(q.Low, other.Low, 0)
	q.High += other.High + carry
}

// IsZero tells whether nothing above 0 was added.
func (q Quantity) IsZero() bool { return q.High|q.Low == 0 }

func (q Quantity) big() *big.Int {
	n := new(big.Int).SetUint64(q.High)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(q.Low))
}

// AppendTo appends q as a plain JSON number.
func (q Quantity) AppendTo(dst []byte) []byte {
	if q.High == 0 && q.Low <= math.MaxInt64 {
		return tick.Decimal(q.Low).AppendTo(dst)
	}
	whole, fraction := new(big.Int).QuoRem(q.big(), big.NewInt(int64(tick.One)), new(big.Int))
	dst = whole.Append(dst, 10)
	if fraction.Sign() == 0 {
		return dst
	}
	return append(dst, tick.Decimal(fraction.Int64()).AppendTo(nil)[1:]...) // without its 0 before the point
}

// String is q as [Quantity.AppendTo] writes it.
func (q Quantity) String() string { return string(q.AppendTo(nil)) }

// Float64 is the float nearest to q.
func (q Quantity) Float64() float64 {
	if q.High == 0 && q.Low <= math.MaxInt64 {
		return tick.Decimal(q.Low).Float64()
	}
	f, _ := new(big.Rat).SetFrac(q.big(), big.NewInt(int64(tick.One))).Float64()
	return f
}

// Int64 is q rounded half to even to whole shares, at most [math.MaxInt64]: what
// a bigint column holds.
func (q Quantity) Int64() int64 {
	whole, fraction := new(big.Int).QuoRem(q.big(), big.NewInt(int64(tick.One)), new(big.Int))
	if !whole.IsInt64() {
		return math.MaxInt64
	}
	n, half := whole.Int64(), int64(tick.One)/2
	if f := fraction.Int64(); (f > half || f == half && n%2 == 1) && n < math.MaxInt64 {
		n++
	}
	return n
}

// MarshalJSON writes a plain number.
func (q Quantity) MarshalJSON() ([]byte, error) { return q.AppendTo(nil), nil }

// UnmarshalJSON reads a number that is not negative, up to nine decimals
// exactly.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	if d, err := tick.ParseDecimal(data); err == nil && d >= 0 {
		*q = Quantity{Low: uint64(d)}
		return nil
	}
	if len(data) > 64 { // an exponent of any size must not be expanded
		return fmt.Errorf("read quantity %.40q: too long", data)
	}
	var rat big.Rat
	if err := exponentFree(data); err != nil {
		return err
	}
	if _, ok := rat.SetString(string(data)); !ok || rat.Sign() < 0 {
		return fmt.Errorf("read quantity %.40q: not a number that is at least 0", data)
	}
	rat.Mul(&rat, new(big.Rat).SetInt64(int64(tick.One)))
	if !rat.IsInt() || rat.Num().BitLen() > 128 {
		return fmt.Errorf("read quantity %.40q: more than 9 decimals or 128 bits", data)
	}
	low := new(big.Int).And(rat.Num(), new(big.Int).SetUint64(math.MaxUint64))
	*q = Quantity{High: new(big.Int).Rsh(rat.Num(), 64).Uint64(), Low: low.Uint64()}
	return nil
}

func exponentFree(data []byte) error {
	for _, c := range data {
		if c != '.' && (c < '0' || c > '9') {
			return fmt.Errorf("read quantity %.40q: not a plain number", data)
		}
	}
	return nil
}
