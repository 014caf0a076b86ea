package health

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tickstock/tickstream/pipeline/event"
)

// delivery logs, once, how one health event went out: by a bus that took it, or
// by no bus at all. An event of which another process is in charge is neither.
type delivery struct {
	event event.StreamingHealth
	log   *slog.Logger

	mu      sync.Mutex
	said    bool
	closed  bool  // no bus will begin to send it any more
	sending int   // buses that are just doing so
	standby bool  // some bus is in another's charge
	err     error // the last failure
}

// errLate is the fault of a bus on which nothing happened while the event was
// the newest.
var errLate = errors.New("not sent in time")

// newDelivery expects the event on the buses that are ours; the others it
// takes as they are.
func newDelivery(e event.StreamingHealth, publishers []*publisher, log *slog.Logger) *delivery {
	d := &delivery{event: e, log: log}
	for _, p := range publishers {
		reach := p.reach.get()
		switch {
		case p.leading.Load():
			d.err = cmp.Or(d.err, errLate)
		case reach.OK:
			d.standby = true
		default:
			d.err = fmt.Errorf("%s: %s", p.bus.name(), reach.Err)
		}
	}
	return d
}

// send sends the event on one bus and notes how that went.
func (d *delivery) send(publish func() error) error {
	d.mu.Lock()
	d.sending++
	d.mu.Unlock()
	err := publish()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sending--
	if err != nil {
		d.err = err
		d.conclude()
		return err
	}
	if !d.said {
		d.said = true
		// Operators search their logs for this very sentence: no attributes.
		d.log.Info(fmt.Sprintf("STREAMING-HEALTH: Published health update - Status: %s, Active Symbols: %d, TPS: %.1f",
			d.event.Status, d.event.ActiveSymbols, d.event.Health.TicksPerSecond))
	}
	return nil
}

// close is called once no bus will begin to send the event any more.
func (d *delivery) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.conclude()
}

func (d *delivery) conclude() {
	if !d.closed || d.sending > 0 || d.said || d.standby {
		return
	}
	d.said = true
	d.log.Warn("STREAMING-HEALTH: No bus took the health update", "status", d.event.Status, "err", d.err)
}
