package health

import (
	"context"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
)

// bus is one of the two ways out. Each method but campaign does one piece of IO
// that ends with its context.
type bus interface {
	name() string
	// campaign runs lead whenever this process holds the bus's lease, until ctx
	// ends; the context of lead ends with the lease.
	campaign(ctx context.Context, lead func(context.Context) error) error
	session() session.Store
	// pollPeriod is how often the bus is looked at.
	pollPeriod() time.Duration
	// serve lets operators act on the session until stop is called. Whoever
	// serves leads and knows the session that the bus holds.
	serve(ctx context.Context) (stop func())
	// listeners counts who listens on each channel that matters; none where
	// listeners find the latest by themselves.
	listeners(ctx context.Context) ([]int64, error)
	// health publishes an event. An event may come twice.
	health(ctx context.Context, u *update) error
	announce(ctx context.Context, a session.Announcement) error
	alert(ctx context.Context, id string, alert event.CriticalAlert) error
}

// update is one health event on its way out.
type update struct {
	seq      uint64 // grows by one an event of this process
	made     time.Time
	event    event.StreamingHealth
	payload  []byte
	facts    observe.Facts
	verdict  observe.Verdict
	alerts   alertSet
	delivery *delivery
}

const (
	opTimeout       = time.Second            // of one piece of IO on a bus
	retryPeriod     = 250 * time.Millisecond // after what could not be sent
	farewellTimeout = 500 * time.Millisecond
)
