package aggregate

import (
	"slices"
	"time"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/event"
)

// Seed gives a new partition the closed bars before from, as they were
// published: each symbol's in the order of time. Ticks before from are then
// left out, for they are in these bars.
func (p *Partition) Seed(bars []event.Bar, from time.Time) {
	p.from = from.UnixNano()
	names := make(map[string]int, len(p.timeframes))
	for i, timeframe := range p.timeframes {
		names[timeframe.String()] = i
	}
	for i := range bars {
		timeframe, known := names[bars[i].Timeframe]
		if !known || !p.signals[timeframe] {
			continue
		}
		series := &p.symbolOf([]byte(bars[i].Symbol)).series[timeframe]
		c := p.candleFrom(&bars[i])
		series.base.measure(c, &p.scratch.after)
		series.last = p.levelsOf(c, &p.scratch.after)
	}
	for _, s := range p.symbols {
		for i := range s.series {
			if s.series[i].head != nil {
				s.series[i].head.copyFrom(s.series[i].base)
			}
		}
	}
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
func (p *Partition) Revise(revisions func(symbol, timeframe string, start int64) (bar, signals uint32)) {
	for _, s := range p.symbols {
		for i := range s.series {
			for k := range s.series[i].slots {
				slot := &s.series[i].slots[k]
				if slot.published {
					bar, signals := revisions(s.name, p.timeframes[i].String(), slot.start)
					slot.revision, slot.signalRevision = max(slot.revision, bar), max(slot.signalRevision, signals)
				}
			}
		}
	}
}

// Horizon is the time before whose bars nothing can change any more.
func (p *Partition) Horizon() time.Time {
	return time.Unix(0, p.watermark-int64(p.cfg.MaxAge)).UTC()
}

// MarketDay is the market day of t, as days since 1970-01-01, and when it
// begins.
func (p *Partition) MarketDay(t time.Time) (day int32, begins time.Time) {
	day, start, _ := p.market.Day(t.Unix())
	return day, time.Unix(start, 0).UTC()
}

// MaxAge is how long after its end a bar may still be corrected.
func (p *Partition) MaxAge() time.Duration { return p.cfg.MaxAge }

// SignalTimeframes are those that signals are computed on, shortest first.
func (p *Partition) SignalTimeframes() []string {
	var names []string
	for i, timeframe := range p.timeframes {
		if p.signals[i] {
			names = append(names, timeframe.String())
		}
	}
	return slices.Clip(names)
}
