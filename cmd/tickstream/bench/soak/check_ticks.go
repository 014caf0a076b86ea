package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
)

// identity is a tick's number and a sum of its bytes.
type identity struct{ number, sum uint32 }

// copies is how often a tick was published, by what is known of each time, and
// how often it is stored.
type copies struct{ heard, unsure, stored int }

// checkTicks compares TICKS with what was published: each tick once, in order,
// unchanged.
func (s *Soak) checkTicks(ctx context.Context, report *Report) {
	stored := make([][]identity, len(s.ledger.names))
	err := oracle.Each(ctx, s.js, stream.Ticks, []string{stream.AllTicks}, func(msg jetstream.Msg, seq uint64) error {
		subject, ok := stream.ParseStoredTick(msg.Subject())
		if !ok {
			return fmt.Errorf("message %d is on %s", seq, msg.Subject())
		}
		symbol, known := s.ledger.symbols[subject.Symbol]
		number, numbered := numberOf(msg.Data())
		if !known || !numbered {
			s.problem("TICKS holds at %d what was not published: %.80s", seq, msg.Data())
			return nil
		}
		stored[symbol] = append(stored[symbol], identity{number, crc32.ChecksumIEEE(msg.Data())})
		report.Stored++
		return nil
	})
	if err != nil {
		s.problem("TICKS cannot be read: %v", err)
		return
	}
	report.rows(s.injected)
	gaps, err := s.gaps(ctx)
	if err != nil {
		s.problem("%v", err)
	}
	report.Gaps = len(gaps)
	published := make([][]sent, len(s.ledger.names))
	for _, t := range s.ledger.ticks {
		published[t.symbol] = append(published[t.symbol], t)
		report.published(t)
	}
	for symbol := range published {
		s.checkSymbol(s.ledger.names[symbol], published[symbol], stored[symbol], gaps, report)
	}
}

// checkSymbol compares the ticks of one symbol.
func (s *Soak) checkSymbol(symbol string, published []sent, stored []identity, gaps []window, report *Report) {
	places := map[identity][]int{} // in published
	for i, t := range published {
		id := identity{t.number, t.sum}
		places[id] = append(places[id], i)
	}
	count := map[identity]*copies{}
	at := -1 // place of the last one stored in order
	for _, id := range stored {
		c := count[id]
		if c == nil {
			c = &copies{}
			count[id] = c
		}
		c.stored++
		all := places[id]
		switch {
		case len(all) == 0:
			s.problem("a tick of %s was changed: number %d", symbol, id.number)
			continue
		case c.stored > len(all):
			report.row(published[all[0]].phase).Duplicated++
			s.detail("tick %d of %s is stored %d times, published %d times at %s", id.number, symbol, c.stored, len(all), s.moment(published[all[0]]))
			continue
		}
		next, _ := slices.BinarySearch(all, at+1)
		if next == len(all) {
			report.row(published[all[0]].phase).OutOfOrder++
			s.detail("tick %d of %s, published at %s, is stored behind number %d", id.number, symbol, s.moment(published[all[0]]), published[at].number)
			continue
		}
		at = all[next]
	}
	for id, all := range places {
		have := 0
		if c := count[id]; c != nil {
			have = c.stored
		}
		// Those that somebody heard must be there; the others may.
		var missing []sent
		for _, i := range all {
			if published[i].hearing == heard {
				missing = append(missing, published[i])
			}
		}
		missing = missing[min(have, len(missing)):]
		for _, t := range missing {
			if s.inGap(t, gaps) {
				report.row(t.phase).InGap++
				continue
			}
			report.row(t.phase).Lost++
			s.detail("tick %d of %s, published at %s, is lost", t.number, symbol, s.moment(t))
		}
	}
}

func (s *Soak) moment(t sent) string {
	return s.ledger.began.Add(time.Duration(t.at)*time.Millisecond).UTC().Format("15:04:05.000") + fmt.Sprintf(" in phase %d", t.phase)
}

// maxDetails is how many single faults are told of.
const maxDetails = 40

// detail tells of one wrong tick, bar or signal, up to a number of them.
func (s *Soak) detail(format string, args ...any) {
	if s.details++; s.details <= maxDetails {
		s.log.Error(fmt.Sprintf(format, args...))
	}
}

// window is a time, in ms since the ledger began.
type window struct{ from, to uint32 }

func (w window) holds(at uint32) bool { return at >= w.from && at <= w.to }

// gapSlack is how long before Redis is broken a tick may have been published
// that Redis still had in its hands.
const gapSlack = time.Second

// gaps are the gaps that the system published, as far as pub/sub itself was
// broken then.
func (s *Soak) gaps(ctx context.Context) ([]window, error) {
	var allowed, gaps []window
	for _, f := range s.injected {
		if f.kind.gaps {
			allowed = append(allowed, window{s.ledger.since(f.from.Add(-gapSlack)), s.ledger.since(f.to)})
		}
	}
	err := oracle.Each(ctx, s.js, stream.Health, []string{stream.HealthGap}, func(msg jetstream.Msg, _ uint64) error {
		var g event.Gap
		if err := json.Unmarshal(msg.Data(), &g); err != nil {
			return fmt.Errorf("read a gap: %w", err)
		}
		gap := window{s.ledger.since(g.From.Time), s.ledger.since(g.To.Add(time.Millisecond))}
		for _, a := range allowed {
			if both := (window{max(a.from, gap.from), min(a.to, gap.to)}); both.from <= both.to {
				gaps = append(gaps, both)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the gaps: %w", err)
	}
	return gaps, nil
}

func (s *Soak) inGap(t sent, gaps []window) bool {
	return slices.ContainsFunc(gaps, func(w window) bool { return w.holds(t.at) })
}
