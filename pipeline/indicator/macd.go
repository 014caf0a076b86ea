package indicator

import "github.com/tickstock/tickstream/pipeline/candle"

const (
	macdFast   = 12
	macdSlow   = 26
	macdSignal = 9

	macdCells = 3 // fast, slow and signal averages
)

// convergence is the moving average convergence divergence: TA-Lib's MACD
// (ta_MACD.c, TA_INT_MACD). The fast average's seed is taken late, over the 12
// candles that end with the slow one's 26, so that both begin on one candle;
// the signal is the 9-period EMA of their difference. All three are given out
// from the first candle that has a signal.
func (st *State) convergence(m []float64, c *candle.Candle) (macd, signal, histogram float64, ready bool) {
	fast, _ := smooth(&m[0], c.Close, st.seen-(macdSlow-macdFast), macdFast)
	slow, ready := smooth(&m[1], c.Close, st.seen, macdSlow)
	if !ready {
		return 0, 0, 0, false
	}
	macd = fast - slow
	signal, ready = smooth(&m[2], macd, st.seen-(macdSlow-1), macdSignal)
	return macd, signal, macd - signal, ready
}
