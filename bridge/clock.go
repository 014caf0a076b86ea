package bridge

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// clockSlack is how far a clock may be moved at once without being stepped.
	clockSlack = 500 * time.Millisecond
	// clockTrust is after how long a stepped clock is believed: most steps that
	// are wrong are put right within it, and one that is right costs no more than
	// bars of idle symbols that close so much later.
	clockTrust = 5 * time.Minute
)

// clock is the time of day, for clock marks. It runs on evenly where the system's
// is stepped, so that a step closes no bar early and holds none open, until the
// step is old enough to be believed.
type clock struct {
	wall    func() time.Time
	elapsed func() time.Duration
	log     *slog.Logger

	mu      sync.Mutex
	base    time.Time // of day when nothing had elapsed, as believed
	offBy   time.Duration
	stepped time.Duration // when, while offBy is not zero
}

func newClock(log *slog.Logger) *clock {
	began := time.Now()
	return newClockOf(func() time.Time { return time.Now().Round(0) }, func() time.Duration { return time.Since(began) }, log)
}

func newClockOf(wall func() time.Time, elapsed func() time.Duration, log *slog.Logger) *clock {
	return &clock{wall: wall, elapsed: elapsed, log: log, base: wall().Add(-elapsed())}
}

// now is the time of day that is believed.
func (c *clock) now() time.Time {
	now, _ := c.both()
	return now
}

// latest is the later of the time of day that is believed and the system's: a
// tick is ahead of time where it is ahead of both.
func (c *clock) latest() time.Time {
	now, wall := c.both()
	if wall.After(now) {
		return wall
	}
	return now
}

// off is how far the system's clock is from what is believed, after a step.
func (c *clock) off() time.Duration {
	c.both()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offBy
}

func (c *clock) both() (believed, wall time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, elapsed := c.wall(), c.elapsed()
	steady := c.base.Add(elapsed)
	off := wall.Sub(steady)
	switch {
	case off.Abs() <= clockSlack:
		c.base, c.offBy = c.base.Add(off), 0
		return wall, wall
	case c.offBy == 0:
		c.stepped = elapsed
		c.log.Warn("the system's clock was stepped, going on with the time before for a while", "by", off, "for", clockTrust)
	case elapsed-c.stepped >= clockTrust:
		c.log.Warn("taking the system's clock as it was stepped", "by", off)
		c.base, c.offBy = c.base.Add(off), 0
		return wall, wall
	}
	c.offBy = off
	return steady, wall
}
