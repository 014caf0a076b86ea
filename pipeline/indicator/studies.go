package indicator

import (
	"math"

	"github.com/tickstock/tickstream/pipeline/candle"
)

// epsilon below which TA-Lib takes a number for zero (TA_IS_ZERO).
const epsilon = 1e-14

// strength is Wilder's relative strength index as TA-Lib computes it (TA_RSI):
// means of gains and losses that begin as simple ones over the first period
// changes and go on by (mean×(period−1)+new)/period. Without any movement it is 0.
type strength struct {
	count, period int64
	last          float64
	gain, loss    float64
}

func (s *strength) add(price float64) (value float64, ok bool) {
	change := price - s.last
	s.last = price
	s.count++
	if s.count == 1 {
		return 0, false
	}
	n := float64(s.period)
	smoothing := s.count > s.period+1
	if smoothing {
		s.gain *= n - 1
		s.loss *= n - 1
	}
	if change < 0 {
		s.loss -= change
	} else {
		s.gain += change
	}
	if s.count <= s.period {
		return 0, false
	}
	s.gain /= n
	s.loss /= n
	sum := s.gain + s.loss
	if sum > -epsilon && sum < epsilon {
		return 0, true
	}
	return 100 * (s.gain / sum), true
}

// convergence is Appel's moving average convergence and divergence as TA-Lib
// computes it (TA_MACD 12, 26, 9): the fast average begins when the slow one
// does, with the simple average of the 12 values up to there, and the signal is
// the exponential average of the difference. All three come out together.
type convergence struct {
	count              int64
	fast, slow, signal exponential
}

func newConvergence() convergence {
	return convergence{fast: exponential{period: 12}, slow: exponential{period: 26}, signal: exponential{period: 9}}
}

func (c *convergence) add(price float64) (macd, signal, histogram float64, ok bool) {
	c.count++
	slow, begun := c.slow.add(price)
	if c.count <= c.slow.period-c.fast.period {
		return 0, 0, 0, false // before the fast average's first value
	}
	fast, _ := c.fast.add(price)
	if !begun {
		return 0, 0, 0, false
	}
	macd = fast - slow
	signal, ok = c.signal.add(macd)
	return macd, signal, macd - signal, ok
}

// deviation is the population standard deviation about the simple average as
// TA-Lib's Bollinger bands compute it (TA_INT_stddev_using_precalc_ma): a
// running total of squares, less the square of the average.
type deviation struct{ squares simple }

func (d *deviation) add(n int64, value, oldest, average float64) float64 {
	mean, ok := d.squares.add(n, float64(value*value), float64(oldest*oldest))
	if !ok {
		return 0
	}
	variance := mean - float64(average*average)
	if variance < epsilon {
		return 0
	}
	return math.Sqrt(variance)
}

// trueRange is Wilder's average true range as TA-Lib computes it (TA_ATR): the
// simple average of the first period ranges, from the second bar on, then
// (average×(period−1)+range)/period.
type trueRange struct {
	count, period int64
	last          float64 // close of the bar before
	value         float64 // a total until there are period ranges
}

func (r *trueRange) add(c candle.Candle) (value float64, ok bool) {
	last := r.last
	r.last = c.Close
	r.count++
	if r.count == 1 {
		return 0, false
	}
	reach := max(c.High-c.Low, math.Abs(last-c.High), math.Abs(last-c.Low))
	n := float64(r.period)
	switch {
	case r.count <= r.period:
		r.value += reach
		return 0, false
	case r.count == r.period+1:
		r.value = (r.value + reach) / n
	default:
		r.value = (float64(r.value*(n-1)) + reach) / n
	}
	return r.value, true
}

const stochasticPeriod = 14

// stochastic is Lane's slow stochastic as TA-Lib computes it (TA_STOCH 14, 3, 3
// with simple averages): where the close lies between the lowest low and the
// highest high of 14 bars, in percent, averaged for K and again for D. Where
// there is no range it lies at 0.
type stochastic struct {
	count       int64
	highs, lows [stochasticPeriod]float64
	k, d        short
}

func (s *stochastic) add(c candle.Candle) (k, d float64, ok bool) {
	s.highs[s.count%stochasticPeriod], s.lows[s.count%stochasticPeriod] = c.High, c.Low
	s.count++
	if s.count < stochasticPeriod {
		return 0, 0, false
	}
	highest, lowest := s.highs[0], s.lows[0]
	for i := 1; i < stochasticPeriod; i++ {
		highest, lowest = max(highest, s.highs[i]), min(lowest, s.lows[i])
	}
	fast, percent := 0.0, (highest-lowest)/100
	if percent != 0 {
		fast = (c.Close - lowest) / percent
	}
	if k, ok = s.k.add(fast); !ok {
		return 0, 0, false
	}
	d, ok = s.d.add(k)
	return k, d, ok
}

// sessionAverage is the volume-weighted average price of the market day so far:
// the bars' money over their shares.
type sessionAverage struct {
	day           float64 // as a float, to be kept beside the others
	money, shares float64
}

func (v *sessionAverage) add(c candle.Candle) (value float64, ok bool) {
	if day := float64(c.Day); day != v.day {
		*v = sessionAverage{day: day}
	}
	v.money += float64(c.VWAP * c.Volume)
	v.shares += c.Volume
	return v.money / v.shares, v.shares > 0
}

// balance is Granville's on-balance volume as TA-Lib computes it (TA_OBV): it
// begins with the first bar's volume, adds that of a bar that closes higher and
// takes that of one that closes lower.
type balance struct {
	begun float64 // 1 once there was a bar
	last  float64
	value float64
}

func (b *balance) add(c candle.Candle) float64 {
	switch {
	case b.begun == 0:
		b.begun, b.value = 1, c.Volume
	case c.Close > b.last:
		b.value += c.Volume
	case c.Close < b.last:
		b.value -= c.Volume
	}
	b.last = c.Close
	return b.value
}
