package bar

import (
	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Accumulator folds the ticks of one bar, exactly and in any order: of the same
// ticks it makes the same bar. The zero value is a bar without ticks.
type Accumulator struct {
	Open, High, Low, Close tick.Decimal
	// The ticks that gave open and close.
	OpenedBy, ClosedBy Moment

	Volume   exact.Quantity
	Notional exact.Notional
	Ticks    int64
	// The least and the greatest sequence of its ticks in TICKS.
	FirstSequence, LastSequence uint64
}

// Moment orders ticks: by event time, then by sequence.
type Moment struct {
	UnixNanos int64
	Sequence  uint64
}

// Before tells whether m comes before other.
func (m Moment) Before(other Moment) bool {
	return m.UnixNanos < other.UnixNanos || m.UnixNanos == other.UnixNanos && m.Sequence < other.Sequence
}

// Add folds a tick of the given event time and sequence.
//
// A tick that carries a second's own prices is folded by these. Feeds make
// seconds up whose open lies above their high: the bar's high and low take in
// open and close, so a bar always holds low <= open, close <= high.
func (a *Accumulator) Add(t *tick.Tick, at Moment) {
	opened, closed := t.Price, t.Price
	if t.Present&tick.FieldsOHLC != 0 {
		if t.Has(tick.FieldOpen) {
			opened = t.Open
		}
		if t.Has(tick.FieldClose) {
			closed = t.Close
		}
	}
	high, low := max(opened, closed), min(opened, closed)
	if t.Has(tick.FieldHigh) {
		high, low = max(high, t.High), min(low, t.High)
	}
	if t.Has(tick.FieldLow) {
		high, low = max(high, t.Low), min(low, t.Low)
	}
	volume, average := t.Volume, t.Price
	if volume == 0 && t.Has(tick.FieldVolume) {
		volume = t.AggregateVolume
	}
	if t.Has(tick.FieldVWAP) {
		average = t.VWAP
	}
	if a.Ticks == 0 {
		a.Open, a.High, a.Low, a.Close = opened, high, low, closed
		a.OpenedBy, a.ClosedBy = at, at
		a.FirstSequence, a.LastSequence = at.Sequence, at.Sequence
	} else {
		if at.Before(a.OpenedBy) {
			a.Open, a.OpenedBy = opened, at
		}
		if a.ClosedBy.Before(at) {
			a.Close, a.ClosedBy = closed, at
		}
		a.High, a.Low = max(a.High, high), min(a.Low, low)
		a.FirstSequence, a.LastSequence = min(a.FirstSequence, at.Sequence), max(a.LastSequence, at.Sequence)
	}
	a.Ticks++
	a.Volume.Add(volume)
	a.Notional.Add(average, volume)
}

// Merge folds the ticks of another bar: of a shorter one into a longer.
func (a *Accumulator) Merge(b *Accumulator) {
	if b.Ticks == 0 {
		return
	}
	if a.Ticks == 0 {
		*a = *b
		return
	}
	if b.OpenedBy.Before(a.OpenedBy) {
		a.Open, a.OpenedBy = b.Open, b.OpenedBy
	}
	if a.ClosedBy.Before(b.ClosedBy) {
		a.Close, a.ClosedBy = b.Close, b.ClosedBy
	}
	a.High, a.Low = max(a.High, b.High), min(a.Low, b.Low)
	a.FirstSequence, a.LastSequence = min(a.FirstSequence, b.FirstSequence), max(a.LastSequence, b.LastSequence)
	a.Ticks += b.Ticks
	a.Volume.Merge(b.Volume)
	a.Notional.Merge(b.Notional)
}

// Fill writes the bar's prices, volume and counts into e.
func (a *Accumulator) Fill(e *event.Bar) {
	e.Open, e.High, e.Low, e.Close = a.Open, a.High, a.Low, a.Close
	e.Volume, e.TickCount, e.VWAP = a.Volume, a.Ticks, nil
	if average, ok := a.Notional.Per(a.Volume); ok {
		e.VWAP = &average
	}
	e.FirstSequence, e.LastSequence = a.FirstSequence, a.LastSequence
}

// Candle is the bar as indicators read it, without its times. The average of
// a bar without volume is its close.
func (a *Accumulator) Candle() candle.Candle {
	average, ok := a.Notional.Per(a.Volume)
	if !ok {
		average = a.Close
	}
	return candle.Candle{
		Open: a.Open.Float64(), High: a.High.Float64(), Low: a.Low.Float64(), Close: a.Close.Float64(),
		Volume: a.Volume.Float64(), VWAP: average.Float64(),
	}
}
