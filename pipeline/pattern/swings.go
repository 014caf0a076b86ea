package pattern

// PivotWidth is how many bars on each side a pivot must top.
const PivotWidth = 3

// pivot is a turning point of the series.
type pivot struct {
	bar   int64 // number of the bar in the series
	start int64 // its start, Unix seconds
	price float64
}

// swings follows the turning points and the shapes that five of them make.
type swings struct {
	count    int8 // pivots held
	lastHigh bool // the newest of them is a high
	pivots   [5]pivot
	top      contour // Head and Shoulders that awaits its break
	bottom   contour // the inverse
}

// breaks holds what the newest bar confirms: a top, a bottom. A score of 0 is
// nothing.
type breaks [2]Match

// observe takes in the newest bar of st.
func (s *swings) observe(st *State) (b breaks) {
	newest := st.seen - 1
	if middle := newest - PivotWidth; middle >= PivotWidth {
		high, low := true, true
		at := st.bar(middle)
		for k := int64(1); k <= PivotWidth; k++ {
			before, after := st.bar(middle-k), st.bar(middle+k)
			high = high && at.high > before.high && at.high >= after.high
			low = low && at.low < before.low && at.low <= after.low
		}
		// A bar that is both tells no direction.
		switch {
		case high && !low:
			s.turn(true, pivot{bar: middle, start: at.start, price: at.high})
		case low && !high:
			s.turn(false, pivot{bar: middle, start: at.start, price: at.low})
		}
	}
	closing, usual := st.bar(newest).close, st.totals[0][range0]/longPeriod
	b[0] = s.top.confirm(newest, closing, usual, +1)
	b[1] = s.bottom.confirm(newest, closing, usual, -1)
	return b
}

// turn adds a pivot, so that highs and lows alternate: of two highs in a row
// the higher stays, of two lows the lower, of two equal ones the earlier.
func (s *swings) turn(high bool, p pivot) {
	waiting, sign := &s.bottom, -1.0
	if high {
		waiting, sign = &s.top, +1
	}
	switch {
	case s.count > 0 && s.lastHigh == high:
		last := &s.pivots[s.count-1]
		if sign*p.price <= sign*last.price {
			return
		}
		if waiting.active && waiting.pivots[4].bar == last.bar {
			waiting.active = false // its right shoulder is none
		}
		*last = p
	case int(s.count) < len(s.pivots):
		s.pivots[s.count] = p
		s.count++
	default:
		copy(s.pivots[:], s.pivots[1:])
		s.pivots[4] = p
	}
	s.lastHigh = high
	if int(s.count) == len(s.pivots) && s.pivots[2].bar > waiting.brokenHead && isHeadAndShoulders(&s.pivots, sign) {
		waiting.active, waiting.pivots = true, s.pivots
	}
}
