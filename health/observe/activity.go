package observe

import (
	"maps"
	"time"
)

// activity knows which symbols have had a tick in the active window, in and
// out of the universe, for that may change. Times are the server's.
type activity struct {
	window time.Duration
	last   map[string]time.Time
	now    time.Time // of the last measurement
}

func newActivity(window time.Duration) *activity {
	return &activity{window: window, last: map[string]time.Time{}}
}

// merge takes what was seen. A purge of the stream takes nothing back: the
// ticks have come.
func (a *activity) merge(seen []sighting, now time.Time) {
	for _, s := range seen {
		if s.at.After(a.last[s.symbol]) {
			a.last[s.symbol] = s.at
		}
	}
	a.now = now
	maps.DeleteFunc(a.last, func(_ string, at time.Time) bool { return now.Sub(at) > a.window })
}

// divide counts the active symbols of a universe and lists the others in its
// order.
func (a *activity) divide(universe []string) (active int, stale []string) {
	for _, symbol := range universe {
		if at, ok := a.last[symbol]; ok && a.now.Sub(at) <= a.window {
			active++
		} else {
			stale = append(stale, symbol)
		}
	}
	return active, stale
}
