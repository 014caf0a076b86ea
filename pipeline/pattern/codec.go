package pattern

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/tickstock/tickstream/pipeline/encoded"
)

// ErrCorrupt is returned by [Set.Decode] for bytes that are no whole state of
// a known version. The state must then be rebuilt from the bars.
var ErrCorrupt = errors.New("corrupt pattern state")

// stateVersion names the layout: version, number of bars, the ring's bars from
// the oldest, the totals, the pivots, the shapes that await their break, and a
// CRC-32C of it all. Times are differences, prices as [encoded.AppendFloats]
// writes them.
const stateVersion = 2

// The bits of the byte that stands before the pivots; its low three are their
// count.
const (
	lastHighBit = 1 << (3 + iota)
	topBit
	bottomBit
)

// AppendBinary appends the state, bit for bit, to b: some 0.4 kB at prices of two
// decimals, 1.1 kB at most. The set is not part of it. The error is always nil.
func (st *State) AppendBinary(b []byte) ([]byte, error) {
	begin := len(b)
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, uint64(st.seen))
	var prices [4 * ringBars]float64
	n, start := 0, int64(0)
	for i := max(0, st.seen-ringBars); i < st.seen; i++ {
		bar := st.bar(i)
		b = binary.AppendVarint(b, bar.start-start)
		start = bar.start
		n += copy(prices[n:], []float64{bar.open, bar.high, bar.low, bar.close})
	}
	b = encoded.AppendFloats(b, prices[:n])
	for back := range st.totals {
		for _, total := range st.totals[back] {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(total))
		}
	}
	s := &st.swings
	flags := byte(s.count)
	if s.lastHigh {
		flags |= lastHighBit
	}
	if s.top.active {
		flags |= topBit
	}
	if s.bottom.active {
		flags |= bottomBit
	}
	b = append(b, flags)
	b = appendPivots(b, s.pivots[:s.count])
	for _, c := range [...]*contour{&s.top, &s.bottom} {
		b = binary.AppendUvarint(b, uint64(c.brokenHead))
		if c.active {
			b = appendPivots(b, c.pivots[:])
		}
	}
	sum := crc32.Checksum(b[begin:], crc32.MakeTable(crc32.Castagnoli))
	return binary.LittleEndian.AppendUint32(b, sum), nil
}

func appendPivots(b []byte, pivots []pivot) []byte {
	var prices [5]float64
	var before pivot
	for i, p := range pivots {
		b = binary.AppendVarint(b, p.bar-before.bar)
		b = binary.AppendVarint(b, p.start-before.start)
		prices[i], before = p.price, p
	}
	return encoded.AppendFloats(b, prices[:len(pivots)])
}

// Decode reads the state at the start of b, and returns it, as a state of this
// set, with the bytes that follow it. Any set can read any set's states. The
// error wraps [ErrCorrupt].
func (s *Set) Decode(b []byte) (st *State, rest []byte, err error) {
	r := encoded.Reader{Left: b}
	if v := r.Byte(); v != stateVersion && !r.Failed {
		return nil, nil, fmt.Errorf("%w: version %d, not %d", ErrCorrupt, v, stateVersion)
	}
	st = &State{set: s, seen: int64(r.Uvarint())}
	if st.seen < 0 {
		return nil, nil, fmt.Errorf("%w: %d bars", ErrCorrupt, st.seen)
	}
	sound, start, oldest := true, int64(0), max(0, st.seen-ringBars)
	for i := oldest; i < st.seen; i++ {
		start += r.Varint()
		st.bar(i).start = start
	}
	var prices [4 * ringBars]float64
	r.Floats(prices[:4*(st.seen-oldest)])
	for i := oldest; i < st.seen; i++ {
		bar, p := st.bar(i), prices[4*(i-oldest):]
		bar.open, bar.high, bar.low, bar.close = p[0], p[1], p[2], p[3]
		sound = sound && bar.usable()
	}
	for back := range st.totals {
		for k := range st.totals[back] {
			st.totals[back][k] = r.Float()
			sound = sound && !math.IsNaN(st.totals[back][k]) && !math.IsInf(st.totals[back][k], 0)
		}
	}
	sound = st.swings.read(&r, st.seen) && sound
	body := b[:len(b)-len(r.Left)]
	sum := r.Uint32()
	switch {
	case r.Failed:
		return nil, nil, fmt.Errorf("%w: it ends after %d bytes", ErrCorrupt, len(b))
	case sum != crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)):
		return nil, nil, fmt.Errorf("%w: checksum differs", ErrCorrupt)
	case !sound:
		return nil, nil, fmt.Errorf("%w: a value is out of bounds", ErrCorrupt)
	}
	if again, _ := st.AppendBinary(nil); !bytes.Equal(again, b[:len(b)-len(r.Left)]) {
		return nil, nil, fmt.Errorf("%w: not as it is written", ErrCorrupt)
	}
	return st, r.Left, nil
}

// read fills s for a series of seen bars, and tells whether it makes sense.
func (s *swings) read(r *encoded.Reader, seen int64) bool {
	flags := r.Byte()
	s.count, s.lastHigh = int8(flags&7), flags&lastHighBit != 0
	if int(s.count) > len(s.pivots) || flags >= bottomBit<<1 {
		return false
	}
	s.top.active, s.bottom.active = flags&topBit != 0, flags&bottomBit != 0
	sound := readPivots(r, s.pivots[:s.count], seen)
	for _, c := range [...]*contour{&s.top, &s.bottom} {
		c.brokenHead = int64(r.Uvarint())
		sound = sound && c.brokenHead >= 0 && c.brokenHead < max(seen, 1)
		if c.active {
			sound = readPivots(r, c.pivots[:], seen) && sound
		}
	}
	return sound
}

// readPivots fills p and tells whether its bars ascend within seen bars.
func readPivots(r *encoded.Reader, p []pivot, seen int64) bool {
	var prices [5]float64
	sound, before := true, pivot{}
	for i := range p {
		p[i] = pivot{bar: before.bar + r.Varint(), start: before.start + r.Varint()}
		sound = sound && p[i].bar > before.bar && p[i].bar < seen
		before = p[i]
	}
	r.Floats(prices[:len(p)])
	for i := range p {
		p[i].price = prices[i]
		sound = sound && math.Abs(p[i].price) <= maxPrice
	}
	return sound
}
