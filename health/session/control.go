package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/tickstock/tickstream/pipeline/service"
)

// ServiceName is the service that whoever decides on the session offers.
const ServiceName = "session"

// Control lets operators start and stop the session over NATS.
type Control struct {
	Keeper *Keeper
	// Totals are those of the running session.
	Totals func() Totals
	// Changed is called after each change, before the operator hears of it.
	Changed func()
	Now     func() time.Time
	Log     *slog.Logger
}

// Service answers requests with the [Record] of the session that runs, or of the
// last one. Only one process may offer it: that which decides on the session.
func (c *Control) Service(by service.Identity) service.Config {
	endpoint := func(name, description string, do func() (Record, error)) service.Endpoint {
		return service.Endpoint{Name: name, Description: description, Handle: func(context.Context, []byte) (any, error) {
			r, err := do()
			if err != nil {
				return nil, service.Refuse(service.Conflict, "%w", err)
			}
			return r, nil
		}}
	}
	return service.Config{
		Identity: by, Name: ServiceName, Description: "starts and stops the session",
		Endpoints: []service.Endpoint{
			endpoint("start", "starts a session now", func() (Record, error) {
				return c.changed("started")(c.Keeper.Start(c.Now()))
			}),
			endpoint("stop", "stops the session until the next day or the next start", func() (Record, error) {
				return c.changed("stopped")(c.Keeper.Stop(c.Now(), c.Totals()))
			}),
			endpoint("show", "the session that runs, or the last one", func() (Record, error) {
				r := c.Keeper.Current()
				if r.IsZero() {
					return r, ErrNone
				}
				return r, nil
			}),
		},
	}
}

// changed passes on what the keeper did, and tells of it if it did.
func (c *Control) changed(how string) func(Record, error) (Record, error) {
	return func(r Record, err error) (Record, error) {
		if err == nil {
			c.Log.Info("session "+how+" by request", "session_id", r.SessionID)
			c.Changed()
		}
		return r, err
	}
}
