package indicator

import "github.com/tickstock/tickstream/pipeline/candle"

const (
	vwapCells = 2 // price × volume, and volume, of the day so far
	obvCells  = 1
)

// sessionPrice is the volume-weighted average price of the candle's market
// day, up to and with it: Σ VWAP × volume / Σ volume over the day's candles.
// TA-Lib has no such function; this is the usual definition, taken over trades,
// for which each candle's own average stands. There is none until a candle of
// the day has volume.
func (st *State) sessionPrice(m []float64, c *candle.Candle) (v float64, ready bool) {
	if c.Day != st.day {
		m[0], m[1] = 0, 0
	}
	if c.Volume != 0 {
		m[0] += float64(c.VWAP * c.Volume)
		m[1] += c.Volume
	}
	if m[1] == 0 {
		return 0, false
	}
	return m[0] / m[1], true
}

// balanceVolume is the on-balance volume: TA-Lib's OBV (ta_OBV.c). It begins
// with the first candle's volume; then a higher close adds the candle's volume,
// a lower one takes it away.
func (st *State) balanceVolume(m []float64, c *candle.Candle) (v float64, ready bool) {
	switch {
	case st.seen == 0, c.Close > st.last:
		m[0] += c.Volume
	case c.Close < st.last:
		m[0] -= c.Volume
	}
	return m[0], true
}
