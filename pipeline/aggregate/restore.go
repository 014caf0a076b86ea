package aggregate

import (
	"time"

	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Seed gives a new partition the bars that begin before from, a full minute, as
// they were published: each series in the order of time. A tick before from is
// then too late: its bar cannot be told apart from those given.
//
// A longer bar that from divides is put together of its minutes: exactly but
// for its average price, of which each minute's is rounded.
func (p *Partition) Seed(bars []event.Bar, from time.Time) {
	p.from = from.UnixNano()
	names := make(map[string]int, len(p.timeframes))
	for i, timeframe := range p.timeframes {
		names[timeframe.String()] = i
	}
	for i := range bars {
		b := &bars[i]
		timeframe, known := names[b.Timeframe]
		if known && timeframe == 0 {
			p.seedLonger(b, from)
		}
		if !known || !p.signals[timeframe] || b.End.After(from) {
			continue
		}
		study := p.symbolOf([]byte(b.Symbol)).series[timeframe].study
		c := p.candleFrom(b)
		study.head.measure(c, &p.scratch.after)
		study.last = p.levelsOf(c, &p.scratch.after)
	}
	for _, s := range p.symbols {
		for i := range s.series {
			if study := s.series[i].study; study != nil {
				study.base = study.head.appendBinary(study.base[:0])
			}
		}
	}
}

// seedLonger folds a minute into the longer bars that from divides.
func (p *Partition) seedLonger(b *event.Bar, from time.Time) {
	sum := sumOf(b)
	for i := 1; i < len(p.timeframes); i++ {
		start, end := p.timeframes[i].Bounds(b.Start.Unix(), p.market)
		if end <= from.Unix() {
			continue
		}
		p.symbolOf([]byte(b.Symbol)).series[i].at(start, end).sum.Merge(&sum)
		p.nextClose = min(p.nextClose, end*int64(time.Second))
	}
}

// sumOf is the accumulator of a published bar, as far as the bar tells.
func sumOf(b *event.Bar) bar.Accumulator {
	sum := bar.Accumulator{
		Open: b.Open, High: b.High, Low: b.Low, Close: b.Close, Volume: b.Volume, Ticks: b.TickCount,
		OpenedBy:      bar.Moment{UnixNanos: b.Start.UnixNano(), Sequence: b.FirstSequence},
		ClosedBy:      bar.Moment{UnixNanos: b.End.UnixNano() - 1, Sequence: b.LastSequence},
		FirstSequence: b.FirstSequence, LastSequence: b.LastSequence,
	}
	if b.VWAP != nil && b.Volume.High == 0 && b.Volume.Low <= uint64(tick.MaxDecimal) {
		sum.Notional.Add(*b.VWAP, tick.Decimal(b.Volume.Low))
	}
	return sum
}

func (p *Partition) candleFrom(b *event.Bar) candle.Candle {
	average := b.Close
	if b.VWAP != nil {
		average = *b.VWAP
	}
	c := candle.Candle{
		Start: b.Start.Unix(), Open: b.Open.Float64(), High: b.High.Float64(), Low: b.Low.Float64(), Close: b.Close.Float64(),
		Volume: b.Volume.Float64(), VWAP: average.Float64(),
	}
	c.Day, _, _ = p.market.Day(c.Start)
	return c
}

// Revise sets the revisions of the bars that may still change: what was
// published of them from elsewhere.
func (p *Partition) Revise(revisions func(symbol, timeframe string, start int64) (bar, signals uint32, known bool)) {
	for _, s := range p.symbols {
		for i := range s.series {
			series := &s.series[i]
			series.unpack()
			for k := range series.slots {
				slot := &series.slots[k]
				if slot.published {
					if revision, signals, known := revisions(s.name, p.timeframes[i].String(), slot.start); known {
						slot.revision, slot.signalRevision = revision, signals
					}
				}
			}
			if !s.dirty {
				series.pack()
			}
		}
	}
}

// MarketDay is the market day of t, as days since 1970-01-01, and when it
// begins.
func (p *Partition) MarketDay(t time.Time) (day int32, begins time.Time) {
	day, start, _ := p.market.Day(t.Unix())
	return day, time.Unix(start, 0).UTC()
}

// MaxAge is how long after its end a bar may still be corrected.
func (p *Partition) MaxAge() time.Duration { return p.cfg.MaxAge }
