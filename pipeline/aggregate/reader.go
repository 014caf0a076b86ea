package aggregate

import (
	"encoding/binary"
	"math"
)

// reader takes values off encoded bytes. After the first that is not there it
// gives zeros, and failed is set.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.take(n)
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.take(n)
	return v
}

// count is how many values follow, each of at least size bytes: more than there
// are bytes for is a failure, so that no length makes room for what is not there.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.failed = true
		return 0
	}
	return int(n) //nolint:gosec // bounded above
}

func (r *reader) text() string { return string(r.take(r.count(1))) }

func (r *reader) levels(l *levels) {
	flags := r.byte()
	l.HasRSI, l.HasMACD, l.HasBands = flags&1 != 0, flags&2 != 0, flags&4 != 0
	for _, f := range []*float64{&l.RSI, &l.MACD, &l.Signal, &l.Close, &l.Upper, &l.Lower} {
		*f = r.float()
	}
}
