package pattern

import (
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
// CRC-32C of it all. Numbers are little-endian and of fixed width.
const stateVersion = 1

// The bits of the byte that stands before the pivots; its low three are their
// count.
const (
	lastHighBit = 1 << (3 + iota)
	topBit
	bottomBit
)

// AppendBinary appends the state, bit for bit, to b: at most 1,056 bytes. The
// set is not part of it. The error is always nil.
func (st *State) AppendBinary(b []byte) ([]byte, error) {
	begin := len(b)
	b = append(b, stateVersion)
	b = appendInt(b, st.seen)
	for i := max(0, st.seen-ringBars); i < st.seen; i++ {
		bar := st.bar(i)
		b = appendInt(b, bar.start)
		b = appendFloats(b, bar.open, bar.high, bar.low, bar.close)
	}
	for back := range st.totals {
		b = appendFloats(b, st.totals[back][:]...)
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
		b = appendInt(b, c.brokenHead)
		if c.active {
			b = appendPivots(b, c.pivots[:])
		}
	}
	sum := crc32.Checksum(b[begin:], crc32.MakeTable(crc32.Castagnoli))
	return binary.LittleEndian.AppendUint32(b, sum), nil
}

func appendInt(b []byte, i int64) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(i))
}

func appendFloats(b []byte, floats ...float64) []byte {
	for _, f := range floats {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	return b
}

func appendPivots(b []byte, pivots []pivot) []byte {
	for i := range pivots {
		b = appendInt(appendInt(b, pivots[i].bar), pivots[i].start)
		b = appendFloats(b, pivots[i].price)
	}
	return b
}

// Decode reads the state at the start of b, and returns it, as a state of this
// set, with the bytes that follow it. Any set can read any set's states. The
// error wraps [ErrCorrupt].
func (s *Set) Decode(b []byte) (st *State, rest []byte, err error) {
	r := encoded.Reader{Left: b}
	if v := r.Byte(); v != stateVersion && !r.Failed {
		return nil, nil, fmt.Errorf("%w: version %d, not %d", ErrCorrupt, v, stateVersion)
	}
	st = &State{set: s, seen: int64(r.Uint64())}
	if st.seen < 0 {
		return nil, nil, fmt.Errorf("%w: %d bars", ErrCorrupt, st.seen)
	}
	sound := true
	for i := max(0, st.seen-ringBars); i < st.seen; i++ {
		bar := st.bar(i)
		*bar = ohlc{start: int64(r.Uint64()), open: r.Float(), high: r.Float(), low: r.Float(), close: r.Float()}
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
		c.brokenHead = int64(r.Uint64())
		sound = sound && c.brokenHead >= 0 && c.brokenHead < max(seen, 1)
		if c.active {
			sound = readPivots(r, c.pivots[:], seen) && sound
		}
	}
	return sound
}

// readPivots fills p and tells whether its bars ascend within seen bars.
func readPivots(r *encoded.Reader, p []pivot, seen int64) bool {
	sound, prior := true, int64(0)
	for i := range p {
		p[i] = pivot{bar: int64(r.Uint64()), start: int64(r.Uint64()), price: r.Float()}
		sound = sound && p[i].bar > prior && p[i].bar < seen && math.Abs(p[i].price) <= maxPrice
		prior = p[i].bar
	}
	return sound
}
