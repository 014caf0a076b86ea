package trial

import (
	"slices"
	"testing"
	"time"
)

// A bar can close when a tick or a mark of its own partition says so, and not
// before.
func TestClosesCountFromTheWatermark(t *testing.T) {
	const lateness = 2 * time.Second
	minute := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)
	end := minute.Add(time.Minute)
	at := func(s float64) time.Time { return minute.Add(time.Duration(s * float64(time.Second))) }
	c := newCloses(lateness)
	c.tick(0, "A", at(10), at(10.1), at(10.2))
	c.tick(1, "B", at(20), at(20.1), at(20.2))
	c.tick(0, "A", at(59), at(59.1), at(59.2))
	c.tick(0, "A", at(61), at(61.1), at(61.2)) // within the lateness
	c.mark(0, at(58), at(60))
	c.mark(0, at(60), at(62)) // A may close
	c.mark(0, at(61), at(63))
	c.tick(1, "B", at(62), at(62.1), at(62.5)) // B may close
	c.stored("A", end, at(62.010), false)
	c.stored("A", end, at(70), false) // a correction
	c.stored("A", end, at(62.020), true)
	c.stored("A", end, at(62.015), true)
	c.stored("B", end, at(62.503), false)
	d := c.delays()
	slices.Sort(d.bar)
	slices.Sort(d.fromTick)
	if want := []time.Duration{3 * time.Millisecond, 10 * time.Millisecond}; !slices.Equal([]time.Duration(d.bar), want) {
		t.Errorf("bars took %v, want %v", d.bar, want)
	}
	if want := []time.Duration{20 * time.Millisecond}; !slices.Equal([]time.Duration(d.signals), want) {
		t.Errorf("signals took %v, want %v", d.signals, want)
	}
	if want := []time.Duration{2910 * time.Millisecond, 42403 * time.Millisecond}; !slices.Equal([]time.Duration(d.fromTick), want) {
		t.Errorf("from the last tick it took %v, want %v", d.fromTick, want)
	}
	if d.missing != 0 { // the bars of the next minute cannot close yet
		t.Errorf("%d bars are missing", d.missing)
	}
	c.tick(1, "C", at(30), at(30.1), at(30.2))
	if d := c.delays(); d.missing != 1 {
		t.Errorf("%d bars are missing, want C's", d.missing)
	}
}
