package dashboard

import (
	"sync"
	"time"

	"github.com/tickstock/tickstream/health/observe"
)

const (
	// steadyWindow is for what comes evenly, minuteWindow for what comes in one
	// burst a minute.
	steadyWindow = 12 * time.Second
	minuteWindow = time.Minute
)

// flow makes rates of the counters that components report of themselves.
type flow struct {
	mu      sync.Mutex
	samples map[counter][]sample
}

// counter is one counter of one process; it starts again with the process.
type counter struct{ instance, name string }

type sample struct {
	at    time.Time
	value int64
}

// The counters.
const (
	countReceived = "received"
	countStored   = "stored"
	countConsumed = "consumed"
	countSignals  = "signals"
	countRows     = "rows"
	countSent     = "sent"
)

func newFlow() *flow { return &flow{samples: map[counter][]sample{}} }

// observe takes in what was measured last. What was taken in already changes
// nothing; a process that is gone is forgotten.
func (f *flow) observe(facts observe.Facts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	present := map[counter]bool{}
	note := func(instance, name string, at time.Time, value int64) {
		c := counter{instance, name}
		present[c] = true
		list := f.samples[c]
		if n := len(list); n > 0 && !at.After(list[n-1].at) {
			return
		}
		for len(list) > 1 && at.Sub(list[1].at) >= minuteWindow {
			list = list[1:]
		}
		f.samples[c] = append(list, sample{at, value})
	}
	for _, r := range facts.Components {
		if b := r.Bridge; b != nil {
			note(r.Instance, countReceived, r.ReportedAt, b.Received)
			note(r.Instance, countStored, r.ReportedAt, b.Stored)
		}
		if p := r.Pipeline; p != nil {
			note(r.Instance, countConsumed, r.ReportedAt, p.Consumed)
			note(r.Instance, countSignals, r.ReportedAt, p.Signals)
		}
		if s := r.Store; s != nil {
			note(r.Instance, countRows, r.ReportedAt, sum(s.Rows))
		}
		if e := r.Egress; e != nil {
			var sent int64
			for _, c := range e.Channels {
				sent += c.Published
			}
			note(r.Instance, countSent, r.ReportedAt, sent)
		}
	}
	for c := range f.samples {
		if !present[c] {
			delete(f.samples, c)
		}
	}
}

// rate is what one counter of all processes together grew by in a second, over
// at most window; nil where that is not known yet. A window of a minute is never
// cut, for the one burst in it must not count as several.
func (f *flow) rate(name string, window time.Duration) *float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var total float64
	known := false
	for c, list := range f.samples {
		if c.name != name || len(list) < 2 {
			continue
		}
		last, first := list[len(list)-1], list[0]
		for _, s := range list {
			if last.at.Sub(s.at) <= window {
				first = s
				break
			}
		}
		elapsed := last.at.Sub(first.at)
		if window == minuteWindow {
			elapsed = window
		}
		if elapsed > 0 {
			total += max(0, float64(last.value-first.value)) / elapsed.Seconds()
			known = true
		}
	}
	if !known {
		return nil
	}
	return &total
}

func sum(counts map[string]int64) int64 {
	var total int64
	for _, n := range counts {
		total += n
	}
	return total
}
