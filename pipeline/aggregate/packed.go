package aggregate

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/encoded"
	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// What the flags of a packed bar say of it.
const (
	flagClosed = 1 << iota
	flagPublished
	flagDirty
	flagRevised  // it has revisions above 0
	flagInOrder  // its first and last tick by sequence gave open and close
	flagNarrow   // volume fits 64 bits and money 128
	flagDivides  // the money is a multiple of the decimals of price and volume
	flagStanding // what stood before its corrections follows
)

const (
	// slotBytes is the least that a bar takes.
	slotBytes = 17
	// slotRoom is more than nearly all take.
	slotRoom = 48
)

// place is what a packed bar is written relative to: the bar before it.
type place struct {
	end      int64 // Unix seconds
	close    tick.Decimal
	sequence uint64 // of its last tick
}

func (sl *slot) place() place {
	return place{end: sl.end, close: sl.sum.Close, sequence: sl.sum.LastSequence}
}

// appendSlot appends a bar whole, some thirty bytes: times, prices and sequences
// as differences, decimals without the zeros that all of a kind end in.
func appendSlot(dst []byte, sl *slot, before place) []byte {
	a := &sl.sum
	priceZeros := zeros(int64(a.Open), int64(a.High), int64(a.Low), int64(a.Close))
	opened, closed := a.OpenedBy.UnixNanos-sl.start*second, sl.end*second-a.ClosedBy.UnixNanos
	timeZeros := zeros(opened, closed)
	volumeZeros := 0
	if a.Volume.High == 0 && a.Volume.Low <= math.MaxInt64 {
		volumeZeros = zeros(int64(a.Volume.Low))
	}
	mid, low, divides := divide(a.Notional, pow10[priceZeros]*pow10[volumeZeros])
	var flags byte
	for _, f := range [...]struct {
		set  bool
		flag byte
	}{
		{sl.closed, flagClosed}, {sl.published, flagPublished}, {sl.dirty, flagDirty},
		{sl.revision|sl.signalRevision != 0, flagRevised},
		{a.OpenedBy.Sequence == a.FirstSequence && a.ClosedBy.Sequence == a.LastSequence, flagInOrder},
		{a.Volume.High|a.Notional.High == 0, flagNarrow}, {divides, flagDivides}, {sl.stood != nil, flagStanding},
	} {
		if f.set {
			flags |= f.flag
		}
	}
	dst = append(dst, flags, byte(priceZeros<<4|timeZeros), byte(volumeZeros))
	dst = binary.AppendVarint(dst, sl.start-before.end)
	dst = binary.AppendVarint(dst, sl.end-sl.start)
	if flags&flagRevised != 0 {
		dst = binary.AppendUvarint(dst, uint64(sl.revision))
		dst = binary.AppendUvarint(dst, uint64(sl.signalRevision))
	}
	unit := int64(pow10[priceZeros]) //nolint:gosec // at most 10^9
	open := int64(a.Open) / unit
	dst = binary.AppendVarint(dst, open-int64(before.close)/unit)
	for _, price := range [...]tick.Decimal{a.High, a.Low, a.Close} {
		dst = binary.AppendVarint(dst, int64(price)/unit-open)
	}
	unit = int64(pow10[timeZeros]) //nolint:gosec // at most 10^9
	dst = binary.AppendVarint(dst, opened/unit)
	dst = binary.AppendVarint(dst, closed/unit)
	dst = binary.AppendVarint(dst, int64(a.FirstSequence-before.sequence)) //nolint:gosec // wraps, and back
	dst = binary.AppendUvarint(dst, a.LastSequence-a.FirstSequence)
	if flags&flagInOrder == 0 {
		dst = binary.AppendUvarint(dst, a.OpenedBy.Sequence)
		dst = binary.AppendUvarint(dst, a.ClosedBy.Sequence)
	}
	dst = binary.AppendUvarint(dst, a.Volume.Low/pow10[volumeZeros])
	dst = binary.AppendUvarint(dst, low)
	dst = binary.AppendUvarint(dst, mid)
	if flags&flagNarrow == 0 {
		dst = binary.AppendUvarint(dst, a.Volume.High)
		dst = binary.AppendUvarint(dst, a.Notional.High)
	}
	dst = binary.AppendUvarint(dst, uint64(a.Ticks)) //nolint:gosec // a count
	if c := sl.stood; c != nil {
		for _, f := range [...]float64{c.Open, c.High, c.Low, c.Close, c.Volume, c.VWAP} {
			dst = appendFloat(dst, f)
		}
	}
	return dst
}

// readSlot is the inverse of appendSlot. It does not read the times of what
// stood, which are the bar's.
func readSlot(r *encoded.Reader, before place) (sl slot) {
	flags, digits, volumeZeros := r.Byte(), r.Byte(), r.Byte()
	if digits>>4 > maxZeros || digits&15 > maxZeros || volumeZeros > maxZeros {
		r.Failed = true
		return sl
	}
	sl.closed, sl.published, sl.dirty = flags&flagClosed != 0, flags&flagPublished != 0, flags&flagDirty != 0
	sl.start = before.end + r.Varint()
	sl.end = sl.start + r.Varint()
	if flags&flagRevised != 0 {
		sl.revision, sl.signalRevision = uint32(r.Uvarint()), uint32(r.Uvarint()) //nolint:gosec // as it was written
	}
	a := &sl.sum
	unit := int64(pow10[digits>>4]) //nolint:gosec // at most 10^9
	open := int64(before.close)/unit + r.Varint()
	a.Open = tick.Decimal(open * unit)
	for _, price := range [...]*tick.Decimal{&a.High, &a.Low, &a.Close} {
		*price = tick.Decimal((open + r.Varint()) * unit)
	}
	unit = int64(pow10[digits&15]) //nolint:gosec // at most 10^9
	a.OpenedBy.UnixNanos = sl.start*second + r.Varint()*unit
	a.ClosedBy.UnixNanos = sl.end*second - r.Varint()*unit
	a.FirstSequence = before.sequence + uint64(r.Varint()) //nolint:gosec // wraps, and back
	a.LastSequence = a.FirstSequence + r.Uvarint()
	a.OpenedBy.Sequence, a.ClosedBy.Sequence = a.FirstSequence, a.LastSequence
	if flags&flagInOrder == 0 {
		a.OpenedBy.Sequence, a.ClosedBy.Sequence = r.Uvarint(), r.Uvarint()
	}
	a.Volume.Low = r.Uvarint() * pow10[volumeZeros]
	a.Notional.Low, a.Notional.Mid = r.Uvarint(), r.Uvarint()
	if flags&flagDivides != 0 {
		multiply(&a.Notional, pow10[digits>>4]*pow10[volumeZeros])
	}
	if flags&flagNarrow == 0 {
		a.Volume.High, a.Notional.High = r.Uvarint(), r.Uvarint()
	}
	a.Ticks = int64(r.Uvarint()) //nolint:gosec // as it was written
	if flags&flagStanding != 0 {
		c := &candle.Candle{}
		for _, f := range [...]*float64{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume, &c.VWAP} {
			*f = r.Float()
		}
		sl.stood = c
	}
	return sl
}

// maxZeros is how many zeros are taken off a number: a decimal has nine places.
const maxZeros = 9

var pow10 = [maxZeros + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// zeros is how many zeros all of values end in.
func zeros(values ...int64) (n int) {
	for n < maxZeros {
		for _, v := range values {
			if v%int64(pow10[n+1]) != 0 { //nolint:gosec // at most 10^9
				return n
			}
		}
		n++
	}
	return n
}

// divide is money over d, and the money itself where that is not whole.
func divide(n exact.Notional, d uint64) (mid, low uint64, whole bool) {
	if n.High != 0 {
		return n.Mid, n.Low, false
	}
	mid = n.Mid / d
	low, rest := bits.Div64(n.Mid%d, n.Low, d)
	if rest != 0 {
		return n.Mid, n.Low, false
	}
	return mid, low, true
}

// multiply is the inverse of divide.
func multiply(n *exact.Notional, d uint64) {
	carry, low := bits.Mul64(n.Low, d)
	n.Low, n.Mid = low, n.Mid*d+carry
}
