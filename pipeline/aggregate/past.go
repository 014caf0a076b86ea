package aggregate

import (
	"slices"
	"time"

	"github.com/tickstock/tickstream/pipeline/encoded"
)

// forgetTogether is how much longer than they may change bars are kept, to be
// forgotten several at once.
const forgetTogether = int64(8 * time.Minute / time.Second)

// past holds the closed bars of a series that may still change, packed: nearly
// all of them never do.
type past struct {
	packed   []byte
	last     place // of the last bar, which the next is written relative to
	firstEnd int64 // Unix seconds; of the first bar
}

// add packs a bar that begins after all before.
func (p *past) add(sl *slot) {
	if len(p.packed) == 0 {
		p.firstEnd, p.last = sl.end, place{}
	}
	n := len(p.packed)
	if cap(p.packed)-n < slotRoom { // room for one more, not twice as much as append would give
		room := append([]byte(nil), make([]byte, n+slotRoom)...) // and what the allocator rounds up to
		p.packed = append(room[:0], p.packed...)
	}
	p.packed = appendSlot(p.packed, sl, p.last)
	p.last = sl.place()
}

// each gives the bars in order.
func (p *past) each(give func(sl *slot)) {
	r := encoded.Reader{Left: p.packed}
	for before := (place{}); len(r.Left) > 0 && !r.Failed; {
		sl := readSlot(&r, before)
		before = sl.place()
		give(&sl)
	}
	if r.Failed {
		panic("aggregate: bars that were packed cannot be read") // it is memory of our own
	}
}

// unpack makes all bars slots, to be changed.
func (s *series) unpack() {
	if len(s.past.packed) == 0 {
		return
	}
	slots := make([]slot, 0, 64+len(s.slots))
	s.past.each(func(sl *slot) { slots = append(slots, *sl) })
	s.slots = append(slots, s.slots...)
	s.past = past{}
}

// pack is the inverse: it puts away what is closed and published.
func (s *series) pack() {
	n := 0
	for n < len(s.slots) && s.slots[n].closed && s.slots[n].published && !s.slots[n].dirty {
		s.past.add(&s.slots[n])
		n++
	}
	if n == 0 {
		return
	}
	if s.slots = slices.Delete(s.slots, 0, n); cap(s.slots) > 4 {
		s.slots = slices.Clone(s.slots)
	}
}

// forget takes off the packed bars that end by the Unix second horizon, once
// these are several; they go into the base.
func (p *Partition) forget(s *series, horizon int64) {
	if len(s.past.packed) == 0 || s.past.firstEnd+forgetTogether > horizon {
		return
	}
	base := p.scratch.base
	if s.study != nil {
		p.openBase(s.study, base)
	}
	// The first bar that is kept is written anew; those behind it stay as they are.
	r, before := encoded.Reader{Left: s.past.packed}, place{}
	kept := past{packed: p.scratch.packed[:0]}
	for len(r.Left) > 0 && len(kept.packed) == 0 {
		sl := readSlot(&r, before)
		before = sl.place()
		switch {
		case sl.end > horizon:
			kept.add(&sl)
			kept.packed, kept.last = append(kept.packed, r.Left...), s.past.last
		case s.study != nil:
			base.measure(p.candleOf(&sl), &p.scratch.before)
		}
	}
	p.scratch.packed, kept.packed = kept.packed, append(s.past.packed[:0], kept.packed...)
	if s.past = kept; s.study != nil {
		s.study.base = base.appendBinary(s.study.base[:0])
	}
}
