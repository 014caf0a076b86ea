package session

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// The requests of operators that wait at most, and their bytes.
const (
	maxRequests     = 16
	maxRequestBytes = 64 << 10
)

// Reply answers an operator who starts or stops a session.
type Reply struct {
	OK bool `json:"ok"`
	// SessionID is the session that runs now, or the last one.
	SessionID string `json:"session_id"`
	// Error says why it was refused; empty if it was not.
	Error string `json:"error"`
}

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

// Serve answers requests on both control subjects until stop is called.
func (c *Control) Serve(nc *nats.Conn) (stop func(), err error) {
	begin, err := nc.Subscribe(stream.ControlSessionStart, func(m *nats.Msg) {
		r, err := c.Keeper.Start(c.Now())
		c.reply(m, r, err)
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", stream.ControlSessionStart, err)
	}
	end, err := nc.Subscribe(stream.ControlSessionStop, func(m *nats.Msg) {
		r, err := c.Keeper.Stop(c.Now(), c.Totals())
		c.reply(m, r, err)
	})
	if err != nil {
		_ = begin.Unsubscribe() // the connection is closed, which is the error
		return nil, fmt.Errorf("subscribe to %s: %w", stream.ControlSessionStop, err)
	}
	// Requests are rare: of a flood, what comes beyond a few is let go.
	for _, requests := range []*nats.Subscription{begin, end} {
		if err := requests.SetPendingLimits(maxRequests, maxRequestBytes); err != nil {
			return nil, fmt.Errorf("bound session requests: %w", err)
		}
	}
	return func() {
		// Both fail only once the connection is closed, and they with it.
		_ = begin.Unsubscribe()
		_ = end.Unsubscribe()
	}, nil
}

func (c *Control) reply(m *nats.Msg, r Record, err error) {
	reply := Reply{OK: err == nil, SessionID: r.SessionID}
	if err != nil {
		reply.Error = err.Error()
	} else {
		c.Log.Info("session changed by request", "subject", m.Subject, "session_id", r.SessionID)
		c.Changed()
	}
	data, err := json.Marshal(reply)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		c.Log.Debug("session request not answered", "subject", m.Subject, "err", err)
	}
}
