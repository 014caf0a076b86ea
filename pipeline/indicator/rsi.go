package indicator

import "github.com/tickstock/tickstream/pipeline/candle"

const (
	rsiPeriod = 14

	rsiCells = 2 // average gain, average loss; before their seed, totals

	// zero is below what the library counts as nothing (TA_EPSILON, by
	// TA_IS_ZERO and TA_IS_ZERO_OR_NEG, of ta_utility.h), whatever the price's
	// scale. The first 0.4.0 had 1e-8 here; the reference values decide for
	// this one: they have deviations of 4e-6, a variance of 1.5e-11.
	zero = 1e-14
)

// relativeStrength is Wilder's relative strength index, 0 to 100: TA-Lib's RSI
// (ta_RSI.c, default compatibility). The averages of gains and losses begin as
// the means of the first 14 changes; then each is 13/14 of itself and 1/14 of
// the newest. When both together are less than 1e-14 the index is 0.
func (st *State) relativeStrength(m []float64, c *candle.Candle) (v float64, ready bool) {
	if st.seen == 0 {
		return 0, false
	}
	gain, loss := &m[0], &m[1]
	if st.seen > rsiPeriod {
		*gain = float64(*gain * (rsiPeriod - 1))
		*loss = float64(*loss * (rsiPeriod - 1))
	}
	if change := c.Close - st.last; change < 0 {
		*loss -= change
	} else {
		*gain += change
	}
	if st.seen < rsiPeriod {
		return 0, false
	}
	*gain /= rsiPeriod
	*loss /= rsiPeriod
	if movement := *gain + *loss; movement >= zero {
		v = 100 * (*gain / movement)
	}
	return v, true
}
