package indicator

import (
	"math"

	"github.com/tickstock/tickstream/pipeline/candle"
)

// maxNumber bounds what a state admits: no sum of squares or of price times
// volume below it overflows.
const maxNumber = 1e100

// State is the indicators of one symbol and timeframe: 1.5 kB with all of
// them, of which 0.8 are the closes that the longest average looks back on;
// twice as much where prices are no decimals of 32 bits. It is not safe for
// concurrent use.
type State struct {
	set      *Set
	cells    []float64          // what the indicators keep
	units    []int32            // the rings, in units of 10^-decimals
	floats   []float64          // those of them that do not fit; mostly nil
	seen     int64              // candles since the series began
	last     float64            // close of the latest
	day      int32              // and its day
	next     [seriesCount]int32 // the place of the next in each ring
	decimals [seriesCount]uint8
}

// Usable tells whether Update admits c: high, low, close and volume, and where
// there is volume the VWAP too, are numbers within ±1e100.
func Usable(c candle.Candle) bool {
	return within(c.High) && within(c.Low) && within(c.Close) && within(c.Volume) &&
		(c.Volume == 0 || within(c.VWAP))
}

func within(x float64) bool { return x >= -maxNumber && x <= maxNumber }

// Update adds a closed candle and appends the reading of each indicator that
// has one to out, in the order of the set's definitions. It does not allocate
// while out has room (one reading per definition at most).
//
// A candle that is not [Usable] gives no reading and changes nothing, as if it
// were not in the series. No reading holds a value that is not finite: one that
// would is left out.
func (st *State) Update(c candle.Candle, out []Reading) []Reading {
	if !Usable(c) {
		return out
	}
	out = st.read(st.cells, &c, out)
	st.push(closes, c.Close)
	st.push(volumes, c.Volume)
	st.push(highs, c.High)
	st.push(lows, c.Low)
	st.last, st.day = c.Close, c.Day
	st.seen++
	return out
}

// Peek returns what Update would, and leaves the state as it is: for a candle
// that is still forming.
func (st *State) Peek(c candle.Candle, out []Reading) []Reading {
	if !Usable(c) {
		return out
	}
	var scratch [memoryCells]float64
	n := copy(scratch[:], st.cells)
	return st.read(scratch[:n], &c, out)
}

// Copy makes st equal to from, and independent of it. A state of the same set
// needs no new memory; a zero State may be copied into.
func (st *State) Copy(from *State) {
	cells, units, floats := append(st.cells[:0], from.cells...), append(st.units[:0], from.units...), append(st.floats[:0], from.floats...)
	*st = *from
	st.cells, st.units, st.floats = cells, units, floats
	if len(floats) == 0 {
		st.floats = nil
	}
}

// read moves each indicator's numbers in memory past c, and appends what they
// then say. It changes nothing else of the state.
func (st *State) read(memory []float64, c *candle.Candle, out []Reading) []Reading {
	for i := range st.set.definitions {
		d := &st.set.definitions[i]
		m := memory[d.memory : d.memory+d.cells]
		var v [MaxOutputs]float64
		var ready bool
		switch d.family {
		case simple:
			v[0], ready = st.mean(m, closes, c.Close, d.period)
		case exponential:
			v[0], ready = smooth(&m[0], c.Close, st.seen, d.period)
		case relativeStrength:
			v[0], ready = st.relativeStrength(m, c)
		case convergence:
			v[0], v[1], v[2], ready = st.convergence(m, c)
		case bands:
			v[0], v[1], v[2], ready = st.bands(m, c)
		case trueRange:
			v[0], ready = st.averageTrueRange(m, c)
		case stochastic:
			v[0], v[1], ready = st.stochastic(m, c)
		case sessionPrice:
			v[0], ready = st.sessionPrice(m, c)
		case balanceVolume:
			v[0], ready = st.balanceVolume(m, c)
		case simpleVolume:
			v[0], ready = st.mean(m, volumes, c.Volume, d.period)
		}
		if ready && finite(v[0]) && finite(v[1]) && finite(v[2]) {
			out = append(out, Reading{Indicator: i, Values: v})
		}
	}
	return out
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }
