package indicator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/tickstock/tickstream/pipeline/encoded"
)

var (
	// ErrCorrupt is returned by [Set.Decode] for bytes that are no whole state
	// of a known version. The state must then be rebuilt from the candles.
	ErrCorrupt = errors.New("corrupt indicator state")
	// ErrOtherSet is returned by [Set.Decode] for the sound state of another
	// choice of indicators. It too must be rebuilt from the candles.
	ErrOtherSet = errors.New("state of other indicators")
)

// stateVersion names the layout: version, members of the set, candles seen,
// day, last close, what the indicators keep, the four rings from the oldest
// value, and a CRC-32C of it all. A change of the catalogue needs a new one.
const stateVersion = 1

// maxSeen bounds the candles of a series: more than eight million years of
// one a second.
const maxSeen = 1 << 48

// AppendBinary appends the state, bit for bit, to b: some 0.6 kB with all
// indicators at prices of two decimals, 2.4 kB at most. The error is always nil.
func (st *State) AppendBinary(b []byte) ([]byte, error) {
	begin := len(b)
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, st.set.members)
	b = binary.AppendUvarint(b, uint64(st.seen))
	b = binary.AppendVarint(b, int64(st.day))
	b = appendFloat(b, st.last)
	for _, x := range st.cells {
		b = appendFloat(b, x)
	}
	for which := range seriesCount {
		b = st.appendRing(b, which)
	}
	return binary.LittleEndian.AppendUint32(b, checksum(b[begin:])), nil
}

// Decode reads the state of this set at the start of b, and returns it with
// the bytes that follow it. The error wraps [ErrCorrupt] or [ErrOtherSet].
func (s *Set) Decode(b []byte) (st *State, rest []byte, err error) {
	r := encoded.Reader{Left: b}
	if v := r.Byte(); v != stateVersion && !r.Failed {
		return nil, nil, fmt.Errorf("%w: version %d, not %d", ErrCorrupt, v, stateVersion)
	}
	if members := r.Uvarint(); members != s.members && !r.Failed {
		return nil, nil, fmt.Errorf("%w: set %#x, not %#x", ErrOtherSet, members, s.members)
	}
	st = s.newState()
	seen, day := r.Uvarint(), r.Varint()
	if seen > maxSeen || day != int64(int32(day)) {
		return nil, nil, fmt.Errorf("%w: candle %d of day %d", ErrCorrupt, seen, day)
	}
	st.seen, st.day, st.last = int64(seen), int32(day), r.Float()
	sound := within(st.last)
	for i := range st.cells {
		st.cells[i] = r.Float()
		sound = sound && finite(st.cells[i])
	}
	for which := range seriesCount {
		sound = st.readRing(&r, which) && sound
	}
	body := b[:len(b)-len(r.Left)]
	sum := r.Uint32()
	switch {
	case r.Failed:
		return nil, nil, fmt.Errorf("%w: no whole state in %d bytes", ErrCorrupt, len(b))
	case sum != checksum(body):
		return nil, nil, fmt.Errorf("%w: checksum differs", ErrCorrupt)
	case !sound:
		return nil, nil, fmt.Errorf("%w: a value is out of bounds", ErrCorrupt)
	}
	return st, r.Left, nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func appendFloat(b []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
}
