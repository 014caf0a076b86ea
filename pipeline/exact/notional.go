package exact

import (
	"math/big"
	"math/bits"

	"github.com/tickstock/tickstream/pipeline/tick"
)

// Notional is an exact sum of prices times quantities in units of 1e-18: the
// money that a bar's trades moved.
type Notional struct{ High, Mid, Low uint64 }

// Add adds price times quantity, neither of which may be negative.
func (n *Notional) Add(price, quantity tick.Decimal) {
	high, low := bits.Mul64(uint64(price), uint64(quantity))
	n.Merge(Notional{Mid: high, Low: low})
}

// Merge adds other.
func (n *Notional) Merge(other Notional) {
	var carry uint64
	n.Low, carry = bits.Add64(n.Low, other.Low, 0)
	n.Mid, carry = bits.Add64(n.Mid, other.Mid, carry)
	n.High += other.High + carry
}

// Per is the average price over q, rounded half to even to nine decimals; ok is
// false where q is 0. The average of prices is never above the greatest of
// them, so it fits a decimal.
func (n Notional) Per(q Quantity) (average tick.Decimal, ok bool) {
	if q.IsZero() {
		return 0, false
	}
	if n.High == 0 && q.High == 0 && n.Mid < q.Low { // the quotient fits 64 bits
		quotient, rest := bits.Div64(n.Mid, n.Low, q.Low)
		twice, carry := bits.Add64(rest, rest, 0)
		if carry == 1 || twice > q.Low || twice == q.Low && quotient%2 == 1 {
			quotient++
		}
		return tick.Decimal(quotient), true
	}
	sum := new(big.Int).SetUint64(n.High)
	sum.Lsh(sum, 64).Or(sum, new(big.Int).SetUint64(n.Mid))
	sum.Lsh(sum, 64).Or(sum, new(big.Int).SetUint64(n.Low))
	divisor := q.big()
	quotient, rest := new(big.Int).QuoRem(sum, divisor, new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(divisor) {
	case 1:
		quotient.Add(quotient, big.NewInt(1))
	case 0:
		if quotient.Bit(0) == 1 {
			quotient.Add(quotient, big.NewInt(1))
		}
	}
	return tick.Decimal(quotient.Int64()), true
}
