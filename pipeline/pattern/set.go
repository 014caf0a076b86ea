package pattern

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tickstock/tickstream/pipeline/candle"
)

// Set is a choice of patterns. It does not change after NewSet and may be
// shared by any number of states and goroutines.
type Set struct {
	definitions []Definition
}

// NewSet returns the patterns of the given display names, or all of them if
// none is named. Their order is the catalogue's, whatever the order of names;
// a name given twice counts once. An unknown name is an error that lists the
// known ones.
func NewSet(names ...string) (*Set, error) {
	all := catalog()
	if len(names) == 0 {
		return &Set{definitions: all[:]}, nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(all[:], func(d Definition) bool { return d.Name == name }) {
			known := make([]string, 0, len(all))
			for _, d := range all {
				known = append(known, d.Name)
			}
			return nil, fmt.Errorf("unknown pattern %q; the known ones are %s", name, strings.Join(known, ", "))
		}
	}
	chosen := make([]Definition, 0, len(names))
	for _, d := range all {
		if slices.Contains(names, d.Name) {
			chosen = append(chosen, d)
		}
	}
	return &Set{definitions: chosen}, nil
}

// Definitions returns the set's patterns; [Match.Pattern] is an index into it.
// The caller must not change it.
func (s *Set) Definitions() []Definition { return s.definitions }

// Open returns the state after the bars of history, oldest first: TA-Lib's
// for a series that begins with history[0]. With no history it awaits the
// first bar.
func (s *Set) Open(history []candle.Candle) *State {
	st := &State{set: s}
	for i := range history {
		st.admit(history[i])
	}
	return st
}
