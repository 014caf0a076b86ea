package bridge

import (
	"testing"
	"time"
)

// steppable is a clock of which a test moves the time of day and what elapses.
type steppable struct {
	wall    time.Time
	elapsed time.Duration
}

func (s *steppable) pass(d time.Duration) { s.wall, s.elapsed = s.wall.Add(d), s.elapsed+d }

func (s *steppable) clock() *clock {
	return newClockOf(func() time.Time { return s.wall }, func() time.Duration { return s.elapsed }, quiet)
}

func TestSteppedClockRunsOnEvenlyUntilItIsBelieved(t *testing.T) {
	start := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)
	for name, step := range map[string]time.Duration{"forward": time.Hour, "backward": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := &steppable{wall: start}
			c := s.clock()
			s.pass(time.Minute)
			s.wall = s.wall.Add(step)
			last := c.now()
			for s.elapsed < time.Minute+clockTrust-time.Second {
				if got := c.now(); !got.Equal(start.Add(s.elapsed)) {
					t.Fatalf("%v after the step it is %v, want %v", s.elapsed-time.Minute, got, start.Add(s.elapsed))
				}
				if c.off() != step {
					t.Fatalf("off by %v, want %v", c.off(), step)
				}
				if latest := c.latest(); latest.Before(last) {
					t.Fatalf("a tick is judged by %v, before %v", latest, last)
				}
				last = c.now()
				s.pass(time.Second)
			}
			s.pass(2 * time.Second)
			if got := c.now(); !got.Equal(s.wall) || c.off() != 0 {
				t.Errorf("after %v it is %v, want %v", clockTrust, got, s.wall)
			}
		})
	}
}

func TestStepThatIsPutRightLeavesNoTrace(t *testing.T) {
	s := &steppable{wall: time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)}
	c := s.clock()
	s.wall = s.wall.Add(time.Hour)
	c.now()
	s.pass(time.Minute)
	s.wall = s.wall.Add(-time.Hour)
	s.pass(2 * clockTrust)
	if got := c.now(); !got.Equal(s.wall) || c.off() != 0 {
		t.Errorf("it is %v, off by %v, want %v", got, c.off(), s.wall)
	}
}

func TestSlewIsFollowed(t *testing.T) {
	s := &steppable{wall: time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)}
	c := s.clock()
	for range 100 {
		s.pass(time.Second)
		s.wall = s.wall.Add(20 * time.Millisecond)
		if got := c.now(); !got.Equal(s.wall) {
			t.Fatalf("it is %v, want %v", got, s.wall)
		}
	}
}

// Marks go on when the clock that is believed goes back.
func TestMarksGoOnWhenTheClockGoesBack(t *testing.T) {
	m := newMarkSchedule(5*time.Second, 2*time.Second)
	now := time.Date(2026, 3, 2, 14, 30, 10, 0, time.UTC)
	if !m.due(now) || m.due(now.Add(time.Second)) {
		t.Fatal("not one mark at first")
	}
	now = now.Add(-time.Hour)
	if !m.due(now) || m.untilNext(now) > 5*time.Second {
		t.Error("no mark for the time that the clock went back")
	}
}
