package replay

import (
	"context"
	"time"
)

// Pacer spaces events as their times are spaced, divided by a speed. The first
// event is due at once and anchors the others.
type Pacer struct {
	speed    float64
	anchored bool
	event    time.Time // the anchor's event time
	wall     time.Time // and when it was handed on
}

// NewPacer makes a pacer; a speed of 0 never waits.
func NewPacer(speed float64) *Pacer { return &Pacer{speed: speed} }

// Delay is how long to wait for an event of that time, at most 0 if it is due.
// An event that is older than those before it is due at once.
func (p *Pacer) Delay(event time.Time) time.Duration {
	if p.speed == 0 {
		return 0
	}
	now := time.Now()
	if !p.anchored {
		p.anchored, p.event, p.wall = true, event, now
		return 0
	}
	due := p.wall.Add(time.Duration(float64(event.Sub(p.event)) / p.speed))
	return due.Sub(now)
}

// Restart makes the next event an anchor, so that nothing is caught up.
func (p *Pacer) Restart() { p.anchored = false }

// pause waits for d and returns nil, or earlier the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
