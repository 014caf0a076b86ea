package indicator

import (
	"encoding/binary"
	"errors"
	"math"
)

// encodingVersion changes with whatever changes the encoding.
const encodingVersion = 1

// ErrCorrupt is returned by [Set.Decode] for bytes that [State.AppendBinary]
// did not write.
var ErrCorrupt = errors.New("not an encoded indicator state")

// numbers are the parts of a state besides its rings, in the order in which
// they are written.
func (st *State) numbers() []*float64 {
	list := []*float64{
		&st.volumes.total, &st.deviation.squares.total,
		&st.rsi.last, &st.rsi.gain, &st.rsi.loss,
		&st.macd.fast.value, &st.macd.slow.value, &st.macd.signal.value,
		&st.atr.last, &st.atr.value,
		&st.stoch.k.total, &st.stoch.d.total,
		&st.vwap.day, &st.vwap.money, &st.vwap.shares,
		&st.obv.begun, &st.obv.last, &st.obv.value,
	}
	for i := range st.sma {
		list = append(list, &st.sma[i].total)
	}
	for i := range st.ema {
		list = append(list, &st.ema[i].value)
	}
	for i := range st.stoch.k.values {
		list = append(list, &st.stoch.k.values[i], &st.stoch.d.values[i])
	}
	for i := range st.stoch.highs {
		list = append(list, &st.stoch.highs[i], &st.stoch.lows[i])
	}
	for i := range st.traded {
		list = append(list, &st.traded[i])
	}
	return list
}

// AppendBinary appends the state; what [Set.Decode] makes of it goes on with
// the same values, to the bit.
func (st *State) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, encodingVersion)
	dst = binary.AppendUvarint(dst, uint64(st.count)) //nolint:gosec // a count
	for _, f := range st.numbers() {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(*f))
	}
	for i := range min(st.count, longest) {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(st.closes[i]))
	}
	return dst, nil
}

// Decode reads a state off b and returns what follows it. The error is
// [ErrCorrupt].
func (s *Set) Decode(b []byte) (st *State, rest []byte, err error) {
	if len(b) == 0 || b[0] != encodingVersion {
		return nil, nil, ErrCorrupt
	}
	count, n := binary.Uvarint(b[1:])
	if n <= 0 || count > 1<<60 {
		return nil, nil, ErrCorrupt
	}
	rest = b[1+n:]
	st = s.Open(nil)
	st.setCount(int64(count))
	numbers := st.numbers()
	closes := int(min(count, longest))
	if len(rest) < 8*(len(numbers)+closes) {
		return nil, nil, ErrCorrupt
	}
	for _, f := range numbers {
		*f = math.Float64frombits(binary.LittleEndian.Uint64(rest))
		rest = rest[8:]
	}
	for i := range closes {
		st.closes[i] = math.Float64frombits(binary.LittleEndian.Uint64(rest))
		rest = rest[8:]
	}
	return st, rest, nil
}

// setCount sets all counts, which follow from that of the bars.
func (st *State) setCount(bars int64) {
	st.count, st.rsi.count, st.atr.count, st.stoch.count, st.macd.count = bars, bars, bars, bars, bars
	for i := range st.ema {
		st.ema[i].count = bars
	}
	m := &st.macd
	m.slow.count = bars
	m.fast.count = max(0, bars-(m.slow.period-m.fast.period))
	m.signal.count = max(0, bars-(m.slow.period-1))
	st.stoch.k.count = max(0, bars-(stochasticPeriod-1))
	st.stoch.d.count = max(0, st.stoch.k.count-2)
}
