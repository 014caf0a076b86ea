package indicator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tickstock/tickstream/pipeline/candle"
)

// Set is a choice of indicators. It does not change after NewSet and may be
// shared by any number of states and goroutines.
type Set struct {
	definitions []Definition
	members     uint64 // bit i: indicator i of the catalogue is in the set
	memory      int    // numbers that the indicators keep
	rings       [seriesCount]ring
	units       int // values in all rings
}

// NewSet returns the indicators of the given names, or all of them if none is
// named. Their order is SMA_5 to SMA_200, EMA_12, EMA_26, EMA_50, RSI, MACD,
// BB, ATR, STOCH, VWAP, OBV, VOLUME_SMA_20, whatever the order of names; a name
// given twice counts once. An unknown name is an error that lists the known
// ones.
func NewSet(names ...string) (*Set, error) {
	all := catalog()
	for _, name := range names {
		if !slices.ContainsFunc(all, func(d Definition) bool { return d.Name == name }) {
			known := make([]string, 0, len(all))
			for _, d := range all {
				known = append(known, d.Name)
			}
			return nil, fmt.Errorf("unknown indicator %q; the known ones are %s", name, strings.Join(known, ", "))
		}
	}
	s := &Set{}
	var sizes [seriesCount]int
	for i, d := range all {
		if len(names) > 0 && !slices.Contains(names, d.Name) {
			continue
		}
		s.members |= 1 << i
		d.memory = s.memory
		s.memory += d.cells
		for which, n := range d.keeps() {
			sizes[which] = max(sizes[which], n)
		}
		s.definitions = append(s.definitions, d)
	}
	for which, size := range sizes {
		s.rings[which] = ring{first: s.units, size: size}
		s.units += size
	}
	return s, nil
}

// Definitions returns the set's indicators; [Reading.Indicator] is an index
// into it. The caller must not change it.
func (s *Set) Definitions() []Definition { return s.definitions }

// Open returns the state after the candles of history, oldest first: TA-Lib's
// for a series that begins with history[0]. With no history it awaits the
// first candle.
func (s *Set) Open(history []candle.Candle) *State {
	st := s.newState()
	readings := make([]Reading, 0, len(s.definitions))
	for i := range history {
		st.Update(history[i], readings)
	}
	return st
}

func (s *Set) newState() *State {
	return &State{set: s, cells: make([]float64, s.memory), units: make([]int32, s.units)}
}
