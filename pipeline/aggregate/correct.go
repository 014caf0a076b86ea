package aggregate

import (
	"slices"

	"github.com/tickstock/tickstream/pipeline/candle"
)

// publishCorrections gives the bars that late ticks changed, and the signals
// that change with them.
func (p *Partition) publishCorrections() {
	p.scratch.stood = p.scratch.stood[:0]
	for _, s := range p.dirty {
		for i := range s.series {
			p.correctSeries(s, i)
		}
		s.dirty = false
	}
	p.results.BarsDone()
	for rest := p.scratch.stood; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].symbol == rest[0].symbol && rest[n].timeframe == rest[0].timeframe {
			n++
		}
		p.correctSignals(rest[:n])
		rest = rest[n:]
	}
	for _, s := range p.dirty {
		for i := range s.series {
			s.series[i].pack()
		}
	}
	p.dirty = p.dirty[:0]
	p.flushAt = never
}

// correctSeries gives the changed bars, and remembers what stood before.
func (p *Partition) correctSeries(s *symbol, timeframe int) {
	series := &s.series[timeframe]
	for i := range series.slots[:series.closedCount()] {
		slot := &series.slots[i]
		if !slot.dirty {
			continue
		}
		if series.study != nil {
			stood := standing{slot: slot.start, symbol: s, timeframe: timeframe, published: slot.published}
			if slot.stood != nil {
				stood.candle = *slot.stood
				stood.candle.Start = slot.start
				stood.candle.Day, _, _ = p.market.Day(slot.start)
			}
			p.scratch.stood = append(p.scratch.stood, stood)
		}
		p.publishBar(s, timeframe, slot)
	}
}

// standing is a bar as it was before its correction.
type standing struct {
	symbol    *symbol
	timeframe int
	slot      int64 // its start
	candle    candle.Candle
	published bool
}

// correctSignals computes a series from its base twice, as it stood and as it
// stands, and gives what differs. changed are its corrected bars, by start.
func (p *Partition) correctSignals(changed []standing) {
	s, timeframe := changed[0].symbol, changed[0].timeframe
	series := &s.series[timeframe]
	study := series.study
	before, after := &p.scratch.before, &p.scratch.after
	old, now := p.scratch.base, &study.head
	p.openBase(study, old)
	now.copyFrom(old)
	closed := series.closedCount()
	for i := range series.slots[:closed] {
		slot := &series.slots[i]
		stands := p.candleOf(slot)
		stood, published := stands, true
		if k := slices.IndexFunc(changed, func(w standing) bool { return w.slot == slot.start }); k >= 0 {
			stood, published = changed[k].candle, changed[k].published
		}
		before.clear()
		if published {
			old.measure(stood, before)
		}
		now.measure(stands, after)
		if slot.start < changed[0].slot {
			study.last = p.levelsOf(stands, after)
			continue
		}
		key := slot.key(s.name, p.timeframes[timeframe])
		revision := slot.signalRevision
		if published {
			revision++
		}
		if p.giveDifferences(key, slot, before, after, revision) {
			slot.signalRevision = revision
		}
		if !published && i == closed-1 {
			p.alert(key, study, stands, after) // the first close of a bar that came late
		} else {
			study.last = p.levelsOf(stands, after)
		}
	}
}
