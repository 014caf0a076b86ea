package bridge

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// source is where ticks come from. Its implementations reconnect for ever;
// Redis being away is never an error of run.
type source interface {
	// run reads into the backlog until ctx ends.
	run(ctx context.Context, into *backlog) error
	// settle tells the source that messages are kept for good, as ticks or
	// as rejects.
	settle(ctx context.Context, kept []message)
	// resume tells that an earlier bridge listened until then.
	resume(until time.Time)
	// forget tells, between two runs, that another bridge took over what was
	// read and not settled.
	forget()
	// finish tells the source, once run has ended, that nothing more comes.
	finish(ctx context.Context)
	// clockOff is how far the system's clock is from what is believed.
	clockOff() time.Duration
	// state is what the source knows of its connection.
	state() sourceState
}

// sourceState counts from the start of the process.
type sourceState struct {
	subscribed     bool
	subscriptions  int64
	failedConnects int64
	gaps           int64
	received       int64
}

// connection is what sources count of theirs.
type connection struct {
	subscribed     atomic.Bool
	subscriptions  atomic.Int64
	failedConnects atomic.Int64
	gaps           atomic.Int64
	received       atomic.Int64
}

// begin notes that the source is listened to.
func (c *connection) begin() {
	c.subscriptions.Add(1)
	c.subscribed.Store(true)
}

// keep connects again and again until ctx ends. connect is the life of one
// connection: it calls begin and then connected once it listens, and returns
// what ended it.
func (c *connection) keep(ctx context.Context, log *slog.Logger, connect func(connected func()) error) {
	wait := newBackoff()
	failing := false
	var told time.Time
	said := ""
	for ctx.Err() == nil {
		err := connect(func() { wait.Reset(); failing = false })
		if ctx.Err() != nil {
			break
		}
		if c.subscribed.Swap(false) {
			c.gaps.Add(1)
		} else {
			c.failedConnects.Add(1)
		}
		// The cause may become another, as from a lost connection to a password
		// that is refused.
		if text := rootOf(err); !failing || text != said && time.Since(told) > causeEvery {
			log.Warn("not reading, trying again", "err", err)
			said, told = text, time.Now()
		}
		failing = true
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
	c.subscribed.Store(false)
}

// causeEvery is how soon another cause of the same outage is logged.
const causeEvery = time.Second

// rootOf is what an error comes down to, without what differs each time.
func rootOf(err error) string {
	for {
		cause := errors.Unwrap(err)
		if cause == nil {
			break
		}
		err = cause
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func (c *connection) state() sourceState {
	return sourceState{
		subscribed:     c.subscribed.Load(),
		subscriptions:  c.subscriptions.Load(),
		failedConnects: c.failedConnects.Load(),
		gaps:           c.gaps.Load(),
		received:       c.received.Load(),
	}
}
