package aggregate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tickstock/tickstream/pipeline/encoded"
)

// encodingVersion changes with whatever changes the encoding.
const encodingVersion = 2

// ErrEncoding is returned for bytes that no [Partition] was encoded to, or one
// of another version or other settings.
var ErrEncoding = errors.New("not the encoded state of a partition with these settings")

// Sequence is that of the last message taken.
func (p *Partition) Sequence() uint64 { return p.sequence }

// AppendBinary appends the whole state: what [Decode] makes of it goes on with
// the same results, to the bit.
func (p *Partition) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, encodingVersion)
	dst = binary.LittleEndian.AppendUint64(dst, p.fingerprint)
	dst = binary.AppendUvarint(dst, p.sequence)
	dst = binary.AppendVarint(dst, p.watermark)
	dst = binary.AppendVarint(dst, p.nextClose)
	dst = binary.AppendVarint(dst, p.flushAt)
	dst = binary.AppendVarint(dst, p.from)
	dst = binary.AppendUvarint(dst, uint64(len(p.symbols)))
	order := make(map[*symbol]int, len(p.dirty))
	for i, s := range p.symbols {
		if s.dirty {
			order[s] = i
		}
		dst = appendText(dst, s.name)
		for i := range s.series {
			dst = s.series[i].appendBinary(dst)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.dirty)))
	for _, s := range p.dirty {
		dst = binary.AppendUvarint(dst, uint64(order[s])) //nolint:gosec // an index
	}
	return dst, nil
}

func (s *series) appendBinary(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.past.packed)))
	dst = append(dst, s.past.packed...)
	dst = binary.AppendUvarint(dst, uint64(len(s.slots)))
	for i, before := 0, (place{}); i < len(s.slots); i++ {
		dst = appendSlot(dst, &s.slots[i], before)
		before = s.slots[i].place()
	}
	if s.study == nil {
		return dst
	}
	dst = s.study.last.appendBinary(dst)
	return append(dst, s.study.base...)
}

func (l *levels) appendBinary(dst []byte) []byte {
	var flags byte
	for i, has := range []bool{l.HasRSI, l.HasMACD, l.HasBands} {
		if has {
			flags |= 1 << i
		}
	}
	dst = append(dst, flags)
	for _, f := range []float64{l.RSI, l.MACD, l.Signal, l.Close, l.Upper, l.Lower} {
		dst = appendFloat(dst, f)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
}

// Decode is the inverse of [Partition.AppendBinary]. The error is [ErrEncoding].
func Decode(cfg Config, data []byte, results Results) (*Partition, error) {
	plan, err := newPlan(cfg)
	if err != nil {
		return nil, fmt.Errorf("aggregation settings: %w", err)
	}
	p := plan.empty(results)
	r := &encoded.Reader{Left: data}
	if version, fingerprint := r.Byte(), r.Uint64(); r.Failed || version != encodingVersion || fingerprint != p.fingerprint {
		return nil, ErrEncoding
	}
	p.sequence, p.watermark, p.nextClose, p.flushAt = r.Uvarint(), r.Varint(), r.Varint(), r.Varint()
	p.from = r.Varint()
	for range r.Count(1) {
		s := p.addSymbol(r.Text())
		for i := range s.series {
			if !p.decodeSeries(r, &s.series[i]) {
				return nil, ErrEncoding
			}
		}
	}
	if len(p.byName) != len(p.symbols) {
		return nil, ErrEncoding
	}
	for range r.Count(1) {
		i := r.Uvarint()
		if r.Failed || i >= uint64(len(p.symbols)) || p.symbols[i].dirty {
			return nil, ErrEncoding
		}
		p.symbols[i].dirty = true
		p.dirty = append(p.dirty, p.symbols[i])
	}
	if r.Failed || len(r.Left) > 0 {
		return nil, ErrEncoding
	}
	return p, nil
}

func (p *Partition) decodeSeries(r *encoded.Reader, s *series) bool {
	packed := encoded.Reader{Left: r.Take(r.Count(1))}
	for len(packed.Left) > 0 && !packed.Failed {
		sl := readSlot(&packed, s.past.last)
		if packed.Failed || !sl.closed || !sl.published || sl.dirty || len(s.past.packed) > 0 && sl.start < s.past.last.end {
			return false
		}
		s.past.add(&sl)
	}
	for range r.Count(slotBytes) {
		var before place
		if n := len(s.slots); n > 0 {
			before = s.slots[n-1].place()
		}
		sl := readSlot(r, before)
		if n := len(s.slots); r.Failed || n > 0 && (sl.start <= s.slots[n-1].start || sl.closed && !s.slots[n-1].closed) {
			return false
		}
		s.slots = append(s.slots, sl)
	}
	if r.Failed {
		return false
	}
	if s.study == nil {
		return true
	}
	s.study.last.decode(r)
	if r.Failed {
		return false
	}
	rest, err := s.study.head.decode(p.plan, r.Left)
	if err != nil {
		return false
	}
	s.study.base = append(s.study.base[:0], r.Left[:len(r.Left)-len(rest)]...)
	r.Left = rest
	s.past.each(func(sl *slot) { s.study.head.measure(p.candleOf(sl), &p.scratch.before) })
	for i := range s.slots {
		if sl := &s.slots[i]; sl.published {
			c := p.candleOf(sl)
			if sl.stood != nil {
				stood := *sl.stood
				stood.Start, stood.Day = c.Start, c.Day
				c = stood
			}
			s.study.head.measure(c, &p.scratch.before)
		}
	}
	return true
}

func (l *levels) decode(r *encoded.Reader) {
	flags := r.Byte()
	l.HasRSI, l.HasMACD, l.HasBands = flags&1 != 0, flags&2 != 0, flags&4 != 0
	for _, f := range []*float64{&l.RSI, &l.MACD, &l.Signal, &l.Close, &l.Upper, &l.Lower} {
		*f = r.Float()
	}
}
