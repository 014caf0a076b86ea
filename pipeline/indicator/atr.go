package indicator

import (
	"math"

	"github.com/tickstock/tickstream/pipeline/candle"
)

const (
	atrPeriod = 14

	atrCells = 1 // the average; before its seed, the total so far
)

// averageTrueRange is Wilder's: TA-Lib's ATR (ta_ATR.c over ta_TRANGE.c). A
// true range needs the close before it, so the first is the second candle's;
// the seed, and first value, is the mean of the first 14, then the average is
// 13/14 of itself and 1/14 of the newest range.
func (st *State) averageTrueRange(m []float64, c *candle.Candle) (v float64, ready bool) {
	if st.seen == 0 {
		return 0, false
	}
	if st.seen > atrPeriod {
		m[0] = float64(m[0] * (atrPeriod - 1))
	}
	m[0] += max(c.High-c.Low, math.Abs(st.last-c.High), math.Abs(st.last-c.Low))
	if st.seen < atrPeriod {
		return 0, false
	}
	m[0] /= atrPeriod
	return m[0], true
}
