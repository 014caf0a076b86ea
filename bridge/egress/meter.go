package egress

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

// meter counts what went out.
type meter struct {
	active                      atomic.Bool
	away                        atomic.Bool // Redis did not take the last batch
	failures, tooOld, malformed atomic.Int64

	mu       sync.Mutex
	channels map[string]presence.Channel
	pending  map[string]uint64
}

func (m *meter) published(out []publication, receivers []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, p := range out {
		c := m.channels[p.channel]
		c.Published++
		if i < len(receivers) { // else the answer that told was lost
			c.Receivers = receivers[i]
			if receivers[i] == 0 {
				c.Unheard++
			}
		}
		m.channels[p.channel] = c
	}
}

// measure asks until ctx ends how much waits, which a flow that is held up
// cannot tell, and logs what was left out since it was last told.
func (e *Egress) measure(ctx context.Context, flows []*flow) {
	m := &e.meter
	ticker := time.NewTicker(presence.Interval)
	defer ticker.Stop()
	var tooOld, malformed int64
	for {
		pending := make(map[string]uint64, len(flows))
		for _, f := range flows {
			if n, ok := f.pending(ctx); ok {
				pending[f.durable] = n
			}
		}
		m.mu.Lock()
		m.pending = pending
		m.mu.Unlock()
		if now := m.tooOld.Load(); now > tooOld {
			e.log.Warn("results were too old to be sent", "count", now-tooOld, "max_age", e.cfg.MaxAge)
			tooOld = now
		}
		if now := m.malformed.Load(); now > malformed {
			e.log.Warn("results could not be read", "count", now-malformed)
			malformed = now
		}
		select {
		case <-ctx.Done():
			m.mu.Lock()
			m.pending = nil // another's by now
			m.mu.Unlock()
			return
		case <-ticker.C:
		}
	}
}

// pending is what of a flow is not acknowledged; not ok where NATS does not tell.
func (f *flow) pending(ctx context.Context) (n uint64, ok bool) {
	if at := f.emptyAt.Load(); at != nil && time.Since(*at) < quiet {
		return 0, true // its reader has just asked
	}
	ctx, cancel := context.WithTimeout(ctx, presence.Interval)
	defer cancel()
	consumer, err := f.egress.js.Consumer(ctx, f.stream, f.durable)
	if err != nil {
		return 0, false
	}
	info := consumer.CachedInfo()
	return info.NumPending + uint64(max(0, info.NumAckPending)), true
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
