package spool

import (
	"errors"
	"time"
)

// maxRead is how many bytes one [Spool.Read] gives, but for the last record.
const maxRead = 16 << 20

// Read reads up to limit records of one segment, on from where the last Read
// ended; none when it came to the end. Their Data is the caller's. What has
// become unreadable is stepped over and counted: see [Spool.Lost].
func (s *Spool) Read(limit int) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var records []Record
	for _, segment := range s.segments {
		if segment.number < s.reading.segment {
			continue
		}
		if segment.number > s.reading.segment {
			s.reading = cursor{segment: segment.number}
		}
		for bytes := 0; len(records) < limit && bytes < maxRead; {
			next, ends, at, err := segment.read(s.reading.offset, limit-len(records))
			if err != nil {
				s.stepOver(segment, at)
				continue
			}
			if len(next) == 0 {
				break
			}
			records, s.passed, s.reading.offset = append(records, next...), append(s.passed, ends...), at
			for _, r := range next {
				bytes += len(r.Data)
			}
		}
		if len(records) > 0 {
			break
		}
	}
	return records
}

// stepOver gives up what of a segment cannot be read any more from an offset on.
func (s *Spool) stepOver(damaged *segment, from int64) {
	before := damaged.held
	damaged.held = damaged.consumed
	for _, p := range s.passed {
		if p.end.segment == damaged.number {
			damaged.held[p.kind]++
		}
	}
	sound := damaged.held
	holes := len(damaged.holes)
	_, bytes, err := damaged.examine(from, false, nil)
	if err != nil || bytes == 0 {
		// The disk gives nothing of it, or another thing each time.
		damaged.holes, damaged.held = append(damaged.holes[:holes], hole{from, damaged.size}), sound
	}
	before.subtract(damaged.held)
	s.lost.add(before)
	s.waiting.subtract(before)
}

// Rewind lets Read begin again behind what is consumed.
func (s *Spool) Rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading, s.passed = s.consumed, nil
}

// Consume lets go of the n oldest records, which must have been read, and keeps
// meta for the next [Open]. They are gone for this process also where it returns
// an error: then the next Open may find them again.
func (s *Spool) Consume(n int, meta []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.passed))
	at := 0
	for _, p := range s.passed[:n] {
		for s.segments[at].number < p.end.segment {
			at++
		}
		s.segments[at].consumed[p.kind]++
		s.waiting[p.kind]--
		s.consumed = p.end
	}
	if s.passed = s.passed[n:]; len(s.passed) == 0 {
		s.passed = nil
	}
	var err error
	for len(s.segments) > 0 && s.segments[0].left() == (Counts{}) {
		oldest := s.segments[0]
		if end := (cursor{oldest.number, oldest.size}); s.consumed.before(end) {
			s.consumed = end
		}
		err = errors.Join(err, s.removeOldest())
	}
	if s.reading.before(s.consumed) {
		s.reading = s.consumed
	}
	return errors.Join(err, s.position.store(s.consumed, meta))
}

func (c cursor) before(other cursor) bool {
	return c.segment < other.segment || c.segment == other.segment && c.offset < other.offset
}

// DropOldest gives the oldest segment up to make room: each of its records that
// is not consumed is given to drop.
func (s *Spool) DropOldest(drop func(Record)) (lost Counts, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 {
		return Counts{}, nil
	}
	oldest := s.segments[0]
	lost = oldest.left()
	s.waiting.subtract(lost)
	if drop != nil {
		s.tell(oldest, drop)
	}
	s.consumed = cursor{oldest.number, oldest.size}
	for len(s.passed) > 0 && s.passed[0].end.segment <= oldest.number {
		s.passed = s.passed[1:]
	}
	if s.reading.before(s.consumed) {
		s.reading = s.consumed
	}
	return lost, s.removeOldest()
}

// tell reads what of a segment is not consumed, as far as it can be read.
func (s *Spool) tell(segment *segment, drop func(Record)) {
	offset := int64(0)
	if s.consumed.segment == segment.number {
		offset = s.consumed.offset
	}
	for {
		records, _, after, err := segment.read(offset, 1024)
		if err != nil || len(records) == 0 {
			return
		}
		for _, r := range records {
			drop(r)
		}
		offset = after
	}
}

func (s *Spool) removeOldest() error {
	oldest := s.segments[0]
	s.segments = s.segments[1:]
	s.bytes -= oldest.size
	if len(s.segments) == 0 {
		s.dirtyAt = time.Time{}
	}
	return oldest.remove()
}
