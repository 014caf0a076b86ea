package indicator

const (
	meanCells = 1 // the running total
	emaCells  = 1 // the average; before its seed, the total so far
)

// mean is the simple moving average over period candles, from the first whole
// period on: TA-Lib's SMA (ta_SMA.c, TA_INT_SMA), which adds the newest value,
// divides, and then takes the oldest away.
func (st *State) mean(m []float64, which int, x float64, period int64) (v float64, ready bool) {
	m[0] += x
	if st.seen+1 < period {
		return 0, false
	}
	v = m[0] / float64(period)
	m[0] -= st.ago(which, int(period)-1)
	return v, true
}

// smooth moves an exponential average past x, the input number n from 0 on:
// TA-Lib's EMA (ta_EMA.c, TA_INT_EMA, default compatibility). The seed, and
// first value, is the mean of the first period inputs; then each input moves
// the average 2/(period+1) of the way.
func smooth(average *float64, x float64, n, period int64) (v float64, ready bool) {
	switch {
	case n < 0:
		return 0, false
	case n < period-1:
		*average += x
		return 0, false
	case n == period-1:
		*average = (*average + x) / float64(period)
	default:
		*average += float64((x - *average) * (2 / float64(period+1)))
	}
	return *average, true
}
