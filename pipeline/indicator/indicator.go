// Package indicator computes technical indicators over the candles of one
// symbol and timeframe, one candle at a time, as the TA-Lib C library 0.4
// computes them over a whole series.
//
// Each indicator keeps the library's running sums and adds to them in the
// library's order, since a freshly summed average differs in its last bits, and
// where a difference of two large sums is taken (Bollinger) in more than those.
// Products are rounded before they are added, so that a processor with fused
// multiply-add gives the same bits as one without. A reading is therefore a
// function of the series from its first candle on: [Set.Open] on a history that
// begins later gives averages that differ in the last digits, and smoothed ones
// (EMA, RSI, MACD, ATR) that take some periods to agree.
package indicator

// MaxOutputs is the greatest number of outputs that an indicator has.
const MaxOutputs = 3

// Definition describes an indicator of a [Set].
type Definition struct {
	// Name is the name under which subscribers and the database know it.
	Name string
	// Outputs names the values of a Reading, in order.
	Outputs []string
	// Main is the index in Outputs of the value that stands for the whole.
	Main int
	// Parameters are its periods in candles, and for Bollinger the width of
	// the bands in standard deviations.
	Parameters map[string]int
	// TALib is the library's name of the function, empty if it has none.
	TALib string
	// Lookback is how many candles go by before the first reading.
	Lookback int

	family family
	period int64
	cells  int // numbers that it keeps between candles
	memory int // where they begin in State.cells
}

// Reading is what an indicator says of one candle.
type Reading struct {
	Indicator int                 // index into Set.Definitions
	Values    [MaxOutputs]float64 // one per output of the definition, the others 0
}
