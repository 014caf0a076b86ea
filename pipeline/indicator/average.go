package indicator

// simple is TA-Lib's simple moving average (TA_INT_SMA): a running total of the
// last period-1 values, to which the newest is added and from which, after the
// division, the oldest is taken. The order of these steps is the library's, so
// that rounding is.
type simple struct {
	period int64
	total  float64
}

// add takes value number n, counted from 0, and oldest, the value period-1
// before it; ok is false while there are too few.
func (s *simple) add(n int64, value, oldest float64) (average float64, ok bool) {
	total := s.total + value
	if n < s.period-1 {
		s.total = total
		return 0, false
	}
	s.total = total - oldest
	return total / float64(s.period), true
}

// short is a simple moving average that keeps its own three values.
type short struct {
	simple
	count  int64
	values [3]float64
}

func newShort() short { return short{simple: simple{period: 3}} }

func (s *short) add(value float64) (average float64, ok bool) {
	s.values[s.count%3] = value
	average, ok = s.simple.add(s.count, value, s.values[(s.count+1)%3])
	s.count++
	return average, ok
}

// exponential is TA-Lib's exponential moving average (TA_INT_EMA, default
// compatibility): it begins with the simple average of the first period values
// and moves by 2/(period+1) of the distance.
type exponential struct {
	period int64
	count  int64
	value  float64 // a total until there are period values
}

func (e *exponential) add(value float64) (average float64, ok bool) {
	e.count++
	switch {
	case e.count < e.period:
		e.value += value
		return 0, false
	case e.count == e.period:
		e.value = (e.value + value) / float64(e.period)
	default:
		e.value += float64((value - e.value) * (2 / float64(e.period+1)))
	}
	return e.value, true
}
