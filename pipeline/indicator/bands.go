package indicator

import (
	"math"

	"github.com/tickstock/tickstream/pipeline/candle"
)

const (
	bandPeriod     = 20
	bandDeviations = 2

	bandCells = 2 // running totals of the closes and of their squares
)

// bands are Bollinger's, two population deviations around the simple average
// of 20 closes: TA-Lib's BBANDS (ta_BBANDS.c with TA_INT_stddev_using_precalc_ma
// of ta_STDDEV.c). The variance is the mean of the squares less the square of
// the mean, from running totals, with all the cancellation of that formula:
// what the library gives at a high price is matched only by making the same
// error. A variance below 1e-14, negative ones included, counts as none.
func (st *State) bands(m []float64, c *candle.Candle) (upper, middle, lower float64, ready bool) {
	total, squares := &m[0], &m[1]
	*total += c.Close
	*squares += float64(c.Close * c.Close)
	if st.seen+1 < bandPeriod {
		return 0, 0, 0, false
	}
	middle = *total / bandPeriod
	variance := *squares/bandPeriod - float64(middle*middle)
	oldest := st.ago(closes, bandPeriod-1)
	*total -= oldest
	*squares -= float64(oldest * oldest)
	var width float64
	if variance >= zero {
		width = float64(bandDeviations * math.Sqrt(variance))
	}
	return middle + width, middle, middle - width, true
}
