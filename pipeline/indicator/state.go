package indicator

import (
	"math"

	"github.com/tickstock/tickstream/pipeline/candle"
)

const (
	longest     = 200 // bars that the longest simple average spans
	bandsIndex  = 2   // the simple average of 20 bars among the others
	bandsWidth  = 2   // deviations
	volumesKept = 20
)

// State is the indicators of one symbol and timeframe, without pointers but to
// its set. It is not safe for concurrent use.
type State struct {
	set     *Set
	count   int64            // bars so far
	closes  [longest]float64 // bar i at i mod longest
	volumes simple
	traded  [volumesKept]float64 // volume of bar i at i mod volumesKept

	sma       [6]simple
	ema       [3]exponential
	deviation deviation
	rsi       strength
	macd      convergence
	atr       trueRange
	stoch     stochastic
	vwap      sessionAverage
	obv       balance
}

// Update adds a closed bar and appends the indicators that have a value to out,
// in the order of the set's definitions. It does not allocate while out has
// room. A value that is not finite, which only prices or volumes beyond all
// sense give, is left out.
func (st *State) Update(c candle.Candle, out []Reading) []Reading {
	n := st.count
	st.count++
	st.closes[n%longest] = c.Close
	st.traded[n%volumesKept] = c.Volume

	var middle float64
	var hasMiddle bool
	for i := range st.sma {
		s := &st.sma[i]
		value, ok := s.add(n, c.Close, st.closeBefore(n, s.period-1))
		out = st.give(out, firstSMA+kind(i), ok, value, 0, 0)
		if i == bandsIndex {
			middle, hasMiddle = value, ok
		}
	}
	for i := range st.ema {
		value, ok := st.ema[i].add(c.Close)
		out = st.give(out, firstEMA+kind(i), ok, value, 0, 0)
	}
	value, ok := st.rsi.add(c.Close)
	out = st.give(out, rsi, ok, value, 0, 0)
	line, signal, histogram, ok := st.macd.add(c.Close)
	out = st.give(out, macd, ok, line, signal, histogram)
	width := bandsWidth * st.deviation.add(n, c.Close, st.closeBefore(n, st.deviation.squares.period-1), middle)
	out = st.give(out, bollinger, hasMiddle, middle+width, middle, middle-width)
	value, ok = st.atr.add(c)
	out = st.give(out, atr, ok, value, 0, 0)
	k, d, ok := st.stoch.add(c)
	out = st.give(out, stoch, ok, k, d, 0)
	value, ok = st.vwap.add(c)
	out = st.give(out, vwap, ok, value, 0, 0)
	out = st.give(out, obv, true, st.obv.add(c), 0, 0)
	value, ok = st.volumes.add(n, c.Volume, st.traded[(n+1)%volumesKept])
	return st.give(out, volumeSMA, ok, value, 0, 0)
}

// closeBefore is the close that many bars before bar n; 0 before the first.
func (st *State) closeBefore(n, bars int64) float64 {
	if bars > n {
		return 0
	}
	return st.closes[(n-bars)%longest]
}

func (st *State) give(out []Reading, k kind, ok bool, a, b, c float64) []Reading {
	index := st.set.indices[k]
	if !ok || index < 0 || !finite(a) || !finite(b) || !finite(c) {
		return out
	}
	return append(out, Reading{Indicator: index, Values: [3]float64{a, b, c}})
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// Peek returns what Update would, and leaves the state as it is: for a bar
// that is still forming.
func (st *State) Peek(c candle.Candle, out []Reading) []Reading {
	next := *st
	return next.Update(c, out)
}

// Copy makes st equal to from, and independent of it.
func (st *State) Copy(from *State) { *st = *from }
