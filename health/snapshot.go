package health

import (
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
)

// Snapshot is what a monitor knows at one moment.
type Snapshot struct {
	// Event is the latest health event and Payload its bytes; Payload is nil
	// before the first.
	Event   event.StreamingHealth
	Payload []byte
	// Facts and Issues are what Event was made of.
	Facts  observe.Facts
	Issues []observe.Issue
	// Session is the one that runs, or the last one.
	Session session.Record
	// Buses are NATS and Redis.
	Buses []BusState
	// Published is whether a bus has taken an event of this process.
	Published bool
	// Beat is when the slowest of the loops last came round; zero before Run.
	Beat time.Time
	// Interval between two events.
	Interval time.Duration
}

// BusState is how one bus is.
type BusState struct {
	Name  string
	Reach observe.Reach
	// Leading is whether this process publishes on it.
	Leading bool
	// Receivers is how many got the last event, where the bus tells; else -1.
	Receivers int64
}

// Snapshot returns what is known now. It does no IO.
func (m *Monitor) Snapshot() Snapshot {
	s := Snapshot{
		Session: m.keeper.Current(), Published: m.published.Load(), Beat: m.beats.oldest(), Interval: m.cfg.Interval,
		Buses: []BusState{
			{Name: m.nats.bus.name(), Reach: m.nats.reach.get(), Leading: m.nats.leading.Load(), Receivers: -1},
			{Name: m.redis.bus.name(), Reach: m.redis.reach.get(), Leading: m.redis.leading.Load(), Receivers: m.redisBus.receivers.Load()},
		},
	}
	if u := m.latest.Load(); u != nil {
		s.Event, s.Payload, s.Facts, s.Issues = u.event, u.payload, u.facts, u.verdict.Issues
	}
	return s
}
