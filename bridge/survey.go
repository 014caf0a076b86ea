package bridge

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tickstock/tickstream/pipeline/stream"
)

// survey is which of the messages that this bridge heard are in TICKS, whoever
// stored them.
type survey struct {
	// covered are beats in front of which another bridge heard all that this one
	// did: it was subscribed since before this one, and counted from a beat that
	// this one does not know.
	covered map[uint32]bool
	foreign string            // the last id, where it counts from a beat that this bridge does not know
	spans   map[uint32][]span // by beat
	last    position          // the last of them; all before it are stored or refused, where they were heard
	batch   string            // in which the last of what is known here was stored
	copies  int               // of TICKS
	reading *search           // of TICKS
	end     place             // up to where TICKS was read
}

// span is messages in a row behind one beat.
type span struct{ from, to int32 }

func (s *survey) add(p position) {
	spans := s.spans[p.beat]
	if last := len(spans) - 1; last >= 0 && spans[last].to+1 == p.n {
		spans[last].to = p.n
	} else {
		s.spans[p.beat] = append(spans, span{p.n, p.n})
	}
}

// meet notes a message whose place is known, the first behind those of which it
// is not.
func (s *survey) meet(at position) {
	if s.foreign != "" && at.n >= 0 {
		s.covered[at.beat] = true
	}
	s.foreign = ""
}

// sort makes the survey ready to be asked.
func (s *survey) sort() {
	for _, spans := range s.spans {
		slices.SortFunc(spans, func(a, b span) int { return int(a.from) - int(b.from) })
	}
}

func (s *survey) has(p position) bool {
	spans := s.spans[p.beat]
	if p.n < 0 && s.covered[p.beat] {
		return true
	}
	i, exact := slices.BinarySearchFunc(spans, p.n, func(s span, n int32) int { return int(s.from) - int(n) })
	return exact || i > 0 && spans[i-1].to >= p.n
}

// survey reads TICKS from behind a place to its end; where that place is not
// there any more, from a time on.
func (p *publisher) survey(ctx context.Context, behind place, since time.Time) (*survey, error) {
	s := &survey{spans: make(map[uint32][]span), covered: make(map[uint32]bool)}
	reading := newSearch(p.appender.js, stream.Ticks, p.cfg.PublishTimeout, since, behind, nil)
	reading.visit = func(id string) {
		at := p.names.locate(id)
		if at == (position{}) {
			if _, _, ok := splitID(id); ok {
				s.foreign = id
			}
			return
		}
		s.meet(at)
		s.batch = reading.batch
		if at.after(s.last) {
			s.last = at
		}
		if !isMarkID(id) {
			s.add(at)
		}
	}
	s.reading = reading
	reading.begun = func() { s.last, s.foreign, s.batch = position{}, "", ""; clear(s.spans); clear(s.covered) }
	return s, p.surveyOn(ctx, s)
}

// surveyOn reads on to the end that TICKS has now.
func (p *publisher) surveyOn(ctx context.Context, s *survey) error {
	if err := p.finish(ctx, s.reading); err != nil {
		return fmt.Errorf("look up what is stored: %w", err)
	}
	s.sort()
	s.end, s.copies = s.reading.end(), s.reading.copies
	return nil
}
