package aggregate

import (
	"slices"

	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/event"
)

// slot is one bar of a series while it may still change.
type slot struct {
	start, end int64 // Unix seconds
	sum        bar.Accumulator
	stood      *candle.Candle // as last published, where ticks came since; its times are not set

	closed    bool // its end has passed; all open ones come after all closed ones
	published bool
	dirty     bool   // has ticks that are not published
	revision  uint32 // of the bar as last published
	// signalRevision is that of the signals on this bar which changed last.
	signalRevision uint32
}

// series are the bars of one symbol and timeframe that may still change, and
// what is computed on them and all before.
type series struct {
	past  past   // closed bars
	slots []slot // by start, after the past: open bars, and all while ticks that came late are gathered
	study *study // nil where no signals are asked
}

// at returns the slot that begins at start, making it where there is none.
func (s *series) at(start, end int64) *slot {
	if n := len(s.slots); n > 0 && s.slots[n-1].start == start {
		return &s.slots[n-1] // nearly always
	}
	i, found := slices.BinarySearchFunc(s.slots, start, func(a slot, start int64) int {
		return int(min(max(a.start-start, -1), 1))
	})
	if !found {
		s.slots = slices.Insert(s.slots, i, slot{start: start, end: end})
	}
	return &s.slots[i]
}

// closedCount is how many slots are closed.
func (s *series) closedCount() int {
	n := len(s.slots)
	for n > 0 && !s.slots[n-1].closed {
		n--
	}
	return n
}

func (sl *slot) key(symbol string, timeframe bar.Timeframe) event.BarKey {
	return event.BarKey{Symbol: symbol, Timeframe: timeframe.String(), Start: event.Seconds(sl.start), End: event.Seconds(sl.end)}
}
