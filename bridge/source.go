package bridge

import (
	"context"
	"time"
)

// source is where ticks come from. Its implementations reconnect for ever;
// Redis being away is never an error of run.
type source interface {
	// run reads into the queue until ctx ends.
	run(ctx context.Context, into *queue) error
	// settle tells the source that messages are kept for good, as ticks or
	// as rejects.
	settle(ctx context.Context, kept []message)
	// resume tells that an earlier bridge listened until then.
	resume(until time.Time)
	// finish tells the source, once run has ended, that nothing more comes.
	finish(ctx context.Context)
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

// gapReporter publishes that the source was not listened to between two
// moments.
type gapReporter func(from, to time.Time, reason string)
