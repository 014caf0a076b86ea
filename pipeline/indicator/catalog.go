package indicator

import "fmt"

// family tells the formulas apart.
type family int

const (
	simple family = iota
	exponential
	relativeStrength
	convergence
	bands
	trueRange
	stochastic
	sessionPrice
	balanceVolume
	simpleVolume
)

// memoryCells is how many numbers all indicators of the catalogue keep.
const memoryCells = 6*meanCells + 3*emaCells + rsiCells + macdCells + bandCells +
	atrCells + stochCells + vwapCells + obvCells + meanCells

// catalog returns every indicator, in the order of every set.
func catalog() []Definition {
	all := make([]Definition, 0, 17)
	for _, period := range []int{5, 10, 20, 50, 100, 200} {
		all = append(all, Definition{Name: fmt.Sprintf("SMA_%d", period), TALib: "SMA", family: simple, cells: meanCells,
			Lookback: period - 1, Parameters: map[string]int{"period": period}})
	}
	for _, period := range []int{12, 26, 50} {
		all = append(all, Definition{Name: fmt.Sprintf("EMA_%d", period), TALib: "EMA", family: exponential, cells: emaCells,
			Lookback: period - 1, Parameters: map[string]int{"period": period}})
	}
	all = append(all,
		Definition{Name: "RSI", TALib: "RSI", family: relativeStrength, cells: rsiCells,
			Lookback: rsiPeriod, Parameters: map[string]int{"period": rsiPeriod}},
		Definition{Name: "MACD", TALib: "MACD", family: convergence, cells: macdCells,
			Lookback: macdSlow + macdSignal - 2, Outputs: []string{"macd", "signal", "histogram"},
			Parameters: map[string]int{"fast_period": macdFast, "slow_period": macdSlow, "signal_period": macdSignal}},
		Definition{Name: "BB", TALib: "BBANDS", family: bands, cells: bandCells,
			Lookback: bandPeriod - 1, Outputs: []string{"upper", "middle", "lower"}, Main: 1,
			Parameters: map[string]int{"period": bandPeriod, "deviations": bandDeviations}},
		Definition{Name: "ATR", TALib: "ATR", family: trueRange, cells: atrCells,
			Lookback: atrPeriod, Parameters: map[string]int{"period": atrPeriod}},
		Definition{Name: "STOCH", TALib: "STOCH", family: stochastic, cells: stochCells,
			Lookback: stochPeriod - 1 + 2*(stochSmoothing-1), Outputs: []string{"k", "d"},
			Parameters: map[string]int{"k_period": stochPeriod, "k_smoothing": stochSmoothing, "d_period": stochSmoothing}},
		Definition{Name: "VWAP", family: sessionPrice, cells: vwapCells, Parameters: map[string]int{}},
		Definition{Name: "OBV", TALib: "OBV", family: balanceVolume, cells: obvCells, Parameters: map[string]int{}},
		Definition{Name: "VOLUME_SMA_20", TALib: "SMA", family: simpleVolume, cells: meanCells,
			Lookback: 19, Parameters: map[string]int{"period": 20}},
	)
	for i := range all {
		d := &all[i]
		d.period = int64(d.Parameters["period"])
		if d.Outputs == nil {
			d.Outputs = []string{"value"}
		}
	}
	return all
}

// keeps returns how many of the latest values of each series d looks back on.
func (d *Definition) keeps() (n [seriesCount]int) {
	switch d.family {
	case simple, bands:
		n[closes] = int(d.period) - 1
	case simpleVolume:
		n[volumes] = int(d.period) - 1
	case stochastic:
		n[highs], n[lows] = stochPeriod-1, stochPeriod-1
	}
	return n
}
