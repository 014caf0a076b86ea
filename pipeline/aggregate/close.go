package aggregate

import (
	"github.com/tickstock/tickstream/pipeline/candle"
)

// closing is a bar that has closed and awaits its signals.
type closing struct {
	symbol    *symbol
	timeframe int
	slot      int
}

// closeBars closes every bar whose end the watermark has passed: all bars first,
// which others wait for, then the signals on them. Minutes go into the longer
// bars as they close, and come before them.
func (p *Partition) closeBars() {
	p.scratch.closings = p.scratch.closings[:0]
	p.nextClose = never
	for _, s := range p.symbols {
		for timeframe := range p.timeframes {
			p.closeSeries(s, timeframe)
		}
	}
	p.results.BarsDone()
	for _, c := range p.scratch.closings {
		p.signal(c)
	}
	horizon := (p.watermark - int64(p.cfg.MaxAge)) / second
	for _, s := range p.symbols {
		for i := range s.series {
			s.series[i].pack()
			p.forget(&s.series[i], horizon)
		}
	}
}

func (p *Partition) closeSeries(s *symbol, timeframe int) {
	series := &s.series[timeframe]
	for i := series.closedCount(); i < len(series.slots); i++ {
		slot := &series.slots[i]
		end := slot.end * second
		if end > p.watermark {
			p.nextClose = min(p.nextClose, end)
			return
		}
		slot.closed = true
		if timeframe == 0 {
			p.rollUp(s, slot)
		}
		p.publishBar(s, timeframe, slot)
		if series.study != nil {
			p.scratch.closings = append(p.scratch.closings, closing{s, timeframe, i})
		}
	}
}

// rollUp folds a closed minute into the longer bars.
func (p *Partition) rollUp(s *symbol, minute *slot) {
	for i := 1; i < len(p.timeframes); i++ {
		start, end := p.timeframes[i].Bounds(minute.start, p.market)
		s.series[i].at(start, end).sum.Merge(&minute.sum)
	}
}

// signal computes on a bar that has just closed, the last of its series.
func (p *Partition) signal(c closing) {
	series := &c.symbol.series[c.timeframe]
	slot := &series.slots[c.slot]
	now := &p.scratch.after
	bar := p.candleOf(slot)
	series.study.head.measure(bar, now)
	key := slot.key(c.symbol.name, p.timeframes[c.timeframe])
	for _, r := range now.readings {
		p.giveIndicator(key, r, slot.signalRevision, false)
	}
	for _, m := range now.matches {
		p.givePattern(key, slot, m, slot.signalRevision, false)
	}
	p.alert(key, series.study, bar, now)
}

func (p *Partition) candleOf(sl *slot) candle.Candle {
	c := sl.sum.Candle()
	c.Start = sl.start
	c.Day, _, _ = p.market.Day(sl.start)
	return c
}
