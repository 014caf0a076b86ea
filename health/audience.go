package health

import (
	"sync"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// audience knows who listens to health on Redis, and remembers that AppV2 did.
type audience struct {
	mu        sync.Mutex
	known     bool
	listeners int64
	appV2     bool // one was like it
	leftAt    time.Time
}

// note takes how many are subscribed to health now. AppV2 is known by its other
// subscriptions: it has them all from its start on, and people who look in do not.
func (a *audience) note(health int64, others []int64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known, a.listeners = true, health
	if health > 0 {
		complete := true
		for _, n := range others {
			complete = complete && n > 0
		}
		a.appV2, a.leftAt = a.appV2 || complete, time.Time{}
	} else if a.appV2 && a.leftAt.IsZero() {
		a.leftAt = now
	}
}

// Report is what only health knows, for its presence.
func (m *Monitor) Report() *presence.Health {
	a := &m.redisBus.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	return &presence.Health{Listeners: a.listeners, LeftAt: a.leftAt.UTC()}
}

// audience is who listens on Redis; nil where that does not matter.
func (m *Monitor) audience() *observe.Audience {
	a := &m.redisBus.audience
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.known || m.cfg.Alone && !a.appV2 {
		return nil
	}
	return &observe.Audience{Channel: m.cfg.Channels.Health, Listeners: a.listeners, LeftAt: a.leftAt}
}
