package indicator

import "github.com/tickstock/tickstream/pipeline/candle"

const (
	stochPeriod    = 14
	stochSmoothing = 3 // of %K, and of %D over it

	stochCells = 2 * smoothedCells
)

// stochastic is the slow stochastic oscillator: TA-Lib's STOCH (ta_STOCH.c)
// with simple averages. The raw value is where the close stands between the
// lowest low and the highest high of 14 candles, 0 to 100, and 0 where those
// are equal; %K is its mean over 3, %D that of %K. Both are given out from the
// first candle that has %D.
func (st *State) stochastic(m []float64, c *candle.Candle) (k, d float64, ready bool) {
	n := st.seen - (stochPeriod - 1)
	if n < 0 {
		return 0, 0, false
	}
	highest, lowest := c.High, c.Low
	for i := range stochPeriod - 1 {
		highest = max(highest, st.at(highs, i))
		lowest = min(lowest, st.at(lows, i))
	}
	var raw float64
	if percent := (highest - lowest) / 100; percent != 0 {
		raw = (c.Close - lowest) / percent
	}
	if !finite(raw) {
		// A close far outside a range of almost nothing; admitted, it would
		// stay in the totals for good.
		raw = 0
	}
	k, ready = smoothed(m[:smoothedCells], raw, n)
	if !ready {
		return 0, 0, false
	}
	d, ready = smoothed(m[smoothedCells:], k, n-(stochSmoothing-1))
	return k, d, ready
}

const smoothedCells = 3 // running total, and the two latest values

// smoothed is the simple average over 3 of a series that has no ring, computed
// as mean is. The newest is its value number n, from 0 on.
func smoothed(m []float64, x float64, n int64) (v float64, ready bool) {
	m[0] += x
	if ready = n >= stochSmoothing-1; ready {
		v = m[0] / stochSmoothing
		m[0] -= m[1]
	}
	m[1], m[2] = m[2], x
	return v, ready
}
