// Package indicator computes technical indicators bar by bar, as TA-Lib defines
// them, in bounded work a bar and to the library's own rounding: each total is
// kept and moved on in the order in which the library does, so values agree on
// any length of series.
package indicator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tickstock/tickstream/pipeline/candle"
)

// Names of indicators that come in one kind; moving averages are SMA_20, EMA_12
// and so on.
const (
	RSI        = "RSI"
	MACD       = "MACD"
	Bollinger  = "BB"
	ATR        = "ATR"
	Stochastic = "STOCH"
	VWAP       = "VWAP"
	OBV        = "OBV"
	VolumeSMA  = "VOLUME_SMA_20"
)

// Definition names one indicator and its outputs.
type Definition struct {
	Name       string         // AppV2's
	Outputs    []string       // of the values, in order
	Main       int            // which output is the one value
	Parameters map[string]any // such as its period
}

// Reading is the value of one indicator on one bar.
type Reading struct {
	Indicator int        // index into [Set.Definitions]
	Values    [3]float64 // in the order of the definition's outputs
}

// Set is a choice of indicators. It does not change after NewSet and may be
// shared by any number of states and goroutines.
type Set struct {
	definitions []Definition
	indices     [kinds]int // by kind; -1 where it is not chosen
}

// kind is an indicator's place in the catalogue.
type kind int

const (
	firstSMA  kind = 0
	firstEMA  kind = firstSMA + 6
	rsi       kind = firstEMA + 3
	macd      kind = rsi + 1
	bollinger kind = rsi + 2
	atr       kind = rsi + 3
	stoch     kind = rsi + 4
	vwap      kind = rsi + 5
	obv       kind = rsi + 6
	volumeSMA kind = rsi + 7
	kinds          = int(volumeSMA) + 1
)

// smaPeriods and emaPeriods in bars.
func smaPeriods() [6]int64 { return [6]int64{5, 10, 20, 50, 100, 200} }
func emaPeriods() [3]int64 { return [3]int64{12, 26, 50} }

func catalogue() [kinds]Definition {
	var all [kinds]Definition
	single := func(name string, parameters map[string]any) Definition {
		return Definition{Name: name, Outputs: []string{"value"}, Parameters: parameters}
	}
	period := func(n int64) map[string]any { return map[string]any{"period": n} }
	for i, n := range smaPeriods() {
		all[int(firstSMA)+i] = single("SMA_"+strconv.FormatInt(n, 10), period(n))
	}
	for i, n := range emaPeriods() {
		all[int(firstEMA)+i] = single("EMA_"+strconv.FormatInt(n, 10), period(n))
	}
	all[rsi] = single(RSI, period(14))
	all[macd] = Definition{
		Name: MACD, Outputs: []string{"macd", "signal", "histogram"},
		Parameters: map[string]any{"fast_period": 12, "slow_period": 26, "signal_period": 9},
	}
	all[bollinger] = Definition{
		Name: Bollinger, Outputs: []string{"upper", "middle", "lower"}, Main: 1,
		Parameters: map[string]any{"period": 20, "deviations": 2},
	}
	all[atr] = single(ATR, period(14))
	all[stoch] = Definition{
		Name: Stochastic, Outputs: []string{"k", "d"},
		Parameters: map[string]any{"period": 14, "k_period": 3, "d_period": 3},
	}
	all[vwap] = single(VWAP, map[string]any{"anchor": "session"})
	all[obv] = single(OBV, map[string]any{})
	all[volumeSMA] = single(VolumeSMA, period(20))
	return all
}

// NewSet returns the indicators of the given names, or all of them if none is
// named, in the catalogue's order. An unknown name is an error that lists the
// known ones.
func NewSet(names ...string) (*Set, error) {
	all := catalogue()
	for _, name := range names {
		if !slices.ContainsFunc(all[:], func(d Definition) bool { return d.Name == name }) {
			known := make([]string, 0, len(all))
			for _, d := range all {
				known = append(known, d.Name)
			}
			return nil, fmt.Errorf("unknown indicator %q; the known ones are %s", name, strings.Join(known, ", "))
		}
	}
	s := &Set{}
	for i, d := range all {
		s.indices[i] = -1
		if len(names) == 0 || slices.Contains(names, d.Name) {
			s.indices[i] = len(s.definitions)
			s.definitions = append(s.definitions, d)
		}
	}
	return s, nil
}

// Definitions returns the set's indicators; [Reading.Indicator] is an index into
// it. The caller must not change it.
func (s *Set) Definitions() []Definition { return s.definitions }

// Open returns the state after the bars of history, oldest first. With no
// history it awaits the first bar.
func (s *Set) Open(history []candle.Candle) *State {
	st := &State{set: s, rsi: strength{period: 14}, atr: trueRange{period: 14}, macd: newConvergence()}
	st.stoch.k, st.stoch.d = newShort(), newShort()
	for i, n := range smaPeriods() {
		st.sma[i].period = n
	}
	for i, n := range emaPeriods() {
		st.ema[i].period = n
	}
	st.deviation.squares.period, st.volumes.period = 20, 20
	var unused []Reading
	for _, c := range history {
		unused = st.Update(c, unused[:0])
	}
	return st
}
