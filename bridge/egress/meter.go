package egress

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/tickstock/tickstream/pipeline/presence"
)

// meter counts what went out.
type meter struct {
	active                      atomic.Bool
	failures, tooOld, malformed atomic.Int64

	mu       *sync.Mutex
	channels map[string]presence.Channel
	pending  map[string]uint64
}

func newMeter() meter {
	return meter{mu: &sync.Mutex{}, channels: map[string]presence.Channel{}, pending: map[string]uint64{}}
}

func (m *meter) published(channel string, receivers int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.channels[channel]
	c.Published++
	c.Receivers = receivers
	if receivers == 0 {
		c.Unheard++
	}
	m.channels[channel] = c
}

func (m *meter) lag(consumer string, pending uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending[consumer] = pending
}

// Report is what only the egress knows, for its bridge's presence.
func (e *Egress) Report() *presence.Egress {
	m := &e.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	return &presence.Egress{
		Active: m.active.Load(), Failures: m.failures.Load(), TooOld: m.tooOld.Load(), Malformed: m.malformed.Load(),
		Channels: maps.Clone(m.channels), Pending: maps.Clone(m.pending),
	}
}
