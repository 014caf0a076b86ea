package aggregate

import (
	"fmt"
	"math"
	"time"

	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/tick"
)

const (
	minuteNanos = int64(time.Minute)
	second      = int64(time.Second)
	never       = math.MaxInt64
)

// Partition is the state of one partition of TICKS. It belongs to one
// goroutine.
type Partition struct {
	*plan
	results Results
	market  *bar.Market

	// watermark is the event time, in Unix nanoseconds, up to which the
	// partition is complete; 0 before the first message.
	watermark int64
	nextClose int64 // nanoseconds at which the next open bar ends
	flushAt   int64 // watermark at which corrections go out; never if there are none
	sequence  uint64
	from      int64 // nanoseconds before which ticks are in bars that were given

	symbols []*symbol // in the order in which they came
	byName  map[string]*symbol
	dirty   []*symbol // with corrections to go out, in the order in which they came

	scratch scratch
}

// symbol holds its series by timeframe.
type symbol struct {
	name   string
	series []series
	dirty  bool
}

// New is a partition without a past.
func New(cfg Config, results Results) (*Partition, error) {
	plan, err := newPlan(cfg)
	if err != nil {
		return nil, fmt.Errorf("aggregation settings: %w", err)
	}
	return plan.empty(results), nil
}

func (p *plan) empty(results Results) *Partition {
	return &Partition{
		plan: p, results: results, market: bar.NewMarket(p.zone),
		nextClose: never, flushAt: never, byName: map[string]*symbol{},
		scratch: newScratch(),
	}
}

// Tick folds a tick, whose sequence in TICKS is above all before, and gives the
// results that it has. A quote makes no bar and moves nothing.
func (p *Partition) Tick(t *tick.Tick, sequence uint64) {
	p.sequence = sequence
	if t.Kind == tick.Quote {
		return
	}
	at := bar.Moment{UnixNanos: t.UnixNanos, Sequence: sequence}
	if p.cfg.EndStamped {
		at.UnixNanos--
	}
	end := at.UnixNanos - at.UnixNanos%minuteNanos + minuteNanos
	switch {
	case at.UnixNanos < p.from || end+int64(p.cfg.MaxAge) <= p.watermark:
		p.results.TooLate(t)
	case end > p.watermark:
		start := (end - minuteNanos) / second
		p.symbolOf(t.Symbol).series[0].at(start, start+60).sum.Add(t, at)
		p.nextClose = min(p.nextClose, end)
	default:
		p.correct(t, at)
	}
	p.advance(at.UnixNanos - int64(p.cfg.Lateness))
}

// Mark takes a clock mark: event time is complete up to t.
func (p *Partition) Mark(t time.Time, sequence uint64) {
	p.sequence = sequence
	p.advance(t.UnixNano())
}

// Skip takes a message that says nothing.
func (p *Partition) Skip(sequence uint64) { p.sequence = sequence }

// Watermark is the event time up to which the partition is complete; zero
// before the first message.
func (p *Partition) Watermark() time.Time {
	if p.watermark == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.watermark).UTC()
}

// Symbols is how many symbols the partition has seen.
func (p *Partition) Symbols() int { return len(p.symbols) }

func (p *Partition) symbolOf(name []byte) *symbol {
	if s, ok := p.byName[string(name)]; ok { // does not allocate
		return s
	}
	return p.addSymbol(string(name))
}

func (p *Partition) addSymbol(name string) *symbol {
	s := &symbol{name: name, series: make([]series, len(p.timeframes))}
	for i := range s.series {
		if p.signals[i] {
			s.series[i].study = p.newStudy()
		}
	}
	p.symbols = append(p.symbols, s)
	p.byName[name] = s
	return s
}

// advance moves the watermark, never back, and does what has become due:
// corrections first, so that what closes is computed on corrected bars.
func (p *Partition) advance(watermark int64) {
	if watermark <= p.watermark {
		return
	}
	p.watermark = watermark
	if watermark >= p.flushAt || len(p.dirty) > 0 && watermark >= p.nextClose {
		p.publishCorrections()
	}
	if watermark >= p.nextClose {
		p.closeBars()
	}
}

// correct folds a tick into bars of which the shortest at least is closed.
func (p *Partition) correct(t *tick.Tick, at bar.Moment) {
	s := p.symbolOf(t.Symbol)
	for i, timeframe := range p.timeframes {
		start, end := timeframe.Bounds(at.UnixNanos/second, p.market)
		s.series[i].unpack()
		slot := s.series[i].at(start, end)
		if slot.published && !slot.dirty {
			stood := p.candleOf(slot)
			slot.stood = &stood
		}
		slot.sum.Add(t, at)
		if endNanos := end * second; endNanos > p.watermark {
			p.nextClose = min(p.nextClose, endNanos)
			continue
		}
		slot.closed, slot.dirty = true, true
	}
	if !s.dirty {
		s.dirty = true
		p.dirty = append(p.dirty, s)
	}
	p.flushAt = min(p.flushAt, p.watermark+int64(p.cfg.Grace))
}

// publishBar gives the bar as it now stands, as its first state or the next
// revision of it.
func (p *Partition) publishBar(s *symbol, timeframe int, sl *slot) {
	if sl.published {
		sl.revision++
	}
	sl.published, sl.dirty, sl.stood = true, false, nil
	e := &p.scratch.bar
	*e = event.Bar{
		Type: "bar", Symbol: s.name, Timeframe: p.timeframes[timeframe].String(),
		Start: event.Seconds(sl.start), End: event.Seconds(sl.end), Revision: sl.revision,
	}
	sl.sum.Fill(e)
	p.results.Bar(e)
}
