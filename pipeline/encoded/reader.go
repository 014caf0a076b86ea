// Package encoded reads the binary form of the pipeline's states.
package encoded

import (
	"encoding/binary"
	"math"
)

// Reader takes values from the front of Left. After the first that is not there
// it gives zeros, and Failed is set; so a decoder asks once, at its end.
type Reader struct {
	Left   []byte
	Failed bool
}

// Take gives the next n bytes, which alias what is read; nil where there are
// fewer.
func (r *Reader) Take(n int) []byte {
	if r.Failed || n > len(r.Left) {
		r.Failed = true
		return nil
	}
	taken := r.Left[:n]
	r.Left = r.Left[n:]
	return taken
}

// Byte is one byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint32 is four bytes, little-endian.
func (r *Reader) Uint32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 is eight bytes, little-endian.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Float is eight bytes, little-endian, bit for bit.
func (r *Reader) Float() float64 { return math.Float64frombits(r.Uint64()) }

// Uvarint is a number of variable length.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Left)
	if r.Failed || n <= 0 {
		r.Failed = true
		return 0
	}
	r.Left = r.Left[n:]
	return v
}

// Varint is a signed number of variable length.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.Left)
	if r.Failed || n <= 0 {
		r.Failed = true
		return 0
	}
	r.Left = r.Left[n:]
	return v
}

// Count is how many values follow, each of at least size bytes: more than there
// are bytes for is a failure, so that no length makes room for what is not there.
func (r *Reader) Count(size int) int {
	n := r.Uvarint()
	if n > uint64(len(r.Left)/size) {
		r.Failed = true
		return 0
	}
	return int(n) //nolint:gosec // bounded above
}

// Text is a count and as many bytes.
func (r *Reader) Text() string { return string(r.Take(r.Count(1))) }
