package aggregate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/encoded"
	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// encodingVersion changes with whatever changes the encoding.
const encodingVersion = 1

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
			var err error
			if dst, err = s.series[i].appendBinary(dst); err != nil {
				return nil, fmt.Errorf("encode %s %s: %w", s.name, p.timeframes[i], err)
			}
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.dirty)))
	for _, s := range p.dirty {
		dst = binary.AppendUvarint(dst, uint64(order[s])) //nolint:gosec // an index
	}
	return dst, nil
}

func (s *series) appendBinary(dst []byte) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(len(s.slots)))
	for i := range s.slots {
		dst = s.slots[i].appendBinary(dst)
	}
	if s.base == nil {
		return dst, nil
	}
	dst = s.last.appendBinary(dst)
	dst, err := s.base.indicators.AppendBinary(dst)
	if err != nil {
		return nil, fmt.Errorf("indicators: %w", err)
	}
	dst, err = s.base.patterns.AppendBinary(dst)
	if err != nil {
		return nil, fmt.Errorf("patterns: %w", err)
	}
	return dst, nil
}

const (
	flagClosed = 1 << iota
	flagPublished
	flagDirty
)

func (sl *slot) appendBinary(dst []byte) []byte {
	var flags byte
	for _, f := range []struct {
		set  bool
		flag byte
	}{{sl.closed, flagClosed}, {sl.published, flagPublished}, {sl.dirty, flagDirty}} {
		if f.set {
			flags |= f.flag
		}
	}
	dst = append(dst, flags)
	dst = binary.AppendVarint(dst, sl.start)
	dst = binary.AppendVarint(dst, sl.end-sl.start)
	dst = binary.AppendUvarint(dst, uint64(sl.revision))
	dst = binary.AppendUvarint(dst, uint64(sl.signalRevision))
	a := &sl.sum
	for _, d := range []tick.Decimal{a.Open, a.High, a.Low, a.Close} {
		dst = binary.AppendVarint(dst, int64(d))
	}
	for _, m := range []bar.Moment{a.OpenedBy, a.ClosedBy} {
		dst = binary.AppendVarint(dst, m.UnixNanos)
		dst = binary.AppendUvarint(dst, m.Sequence)
	}
	for _, word := range []uint64{
		a.Volume.High, a.Volume.Low, a.Notional.High, a.Notional.Mid, a.Notional.Low,
		uint64(a.Ticks), a.FirstSequence, a.LastSequence, //nolint:gosec // a count
	} {
		dst = binary.AppendUvarint(dst, word)
	}
	if sl.published && sl.dirty { // otherwise the candle is that of the sum
		c := sl.candle
		for _, f := range []float64{c.Open, c.High, c.Low, c.Close, c.Volume, c.VWAP} {
			dst = appendFloat(dst, f)
		}
	}
	return dst
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
	for range r.Count(20) {
		sl := slot{}
		p.decodeSlot(r, &sl)
		if n := len(s.slots); n > 0 && (sl.start <= s.slots[n-1].start || sl.closed && !s.slots[n-1].closed) {
			return false
		}
		s.slots = append(s.slots, sl)
	}
	if r.Failed {
		return false
	}
	if s.base == nil {
		return true
	}
	s.last.decode(r)
	var err error
	if s.base.indicators, r.Left, err = p.indicators.Decode(r.Left); err != nil {
		return false
	}
	if s.base.patterns, r.Left, err = p.patterns.Decode(r.Left); err != nil {
		return false
	}
	s.head.copyFrom(s.base)
	for i := range s.slots {
		if s.slots[i].published {
			s.head.measure(s.slots[i].candle, &p.scratch.before)
		}
	}
	return !r.Failed
}

func (p *Partition) decodeSlot(r *encoded.Reader, sl *slot) {
	flags := r.Byte()
	sl.closed, sl.published, sl.dirty = flags&flagClosed != 0, flags&flagPublished != 0, flags&flagDirty != 0
	sl.start = r.Varint()
	sl.end = sl.start + r.Varint()
	sl.revision, sl.signalRevision = uint32(r.Uvarint()), uint32(r.Uvarint()) //nolint:gosec // as it was written
	a := &sl.sum
	for _, d := range []*tick.Decimal{&a.Open, &a.High, &a.Low, &a.Close} {
		*d = tick.Decimal(r.Varint())
	}
	for _, m := range []*bar.Moment{&a.OpenedBy, &a.ClosedBy} {
		m.UnixNanos, m.Sequence = r.Varint(), r.Uvarint()
	}
	a.Volume = exact.Quantity{High: r.Uvarint(), Low: r.Uvarint()}
	a.Notional = exact.Notional{High: r.Uvarint(), Mid: r.Uvarint(), Low: r.Uvarint()}
	a.Ticks = int64(r.Uvarint()) //nolint:gosec // as it was written
	a.FirstSequence, a.LastSequence = r.Uvarint(), r.Uvarint()
	if r.Failed || !sl.published {
		return
	}
	sl.candle = p.candleOf(sl)
	if sl.dirty {
		c := &sl.candle
		for _, f := range []*float64{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume, &c.VWAP} {
			*f = r.Float()
		}
	}
}

func (l *levels) decode(r *encoded.Reader) {
	flags := r.Byte()
	l.HasRSI, l.HasMACD, l.HasBands = flags&1 != 0, flags&2 != 0, flags&4 != 0
	for _, f := range []*float64{&l.RSI, &l.MACD, &l.Signal, &l.Close, &l.Upper, &l.Lower} {
		*f = r.Float()
	}
}
