package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// streamsRetry is how often health tries again what waiting alone cannot mend.
const streamsRetry = 30 * time.Second

// streamsWatch prepares the streams and knows why it cannot. Health must not end
// by that: it is what tells of it.
type streamsWatch struct {
	js    jetstream.JetStream
	cfg   stream.Config
	retry time.Duration
	reach atomic.Pointer[observe.Reach]
	log   *slog.Logger
}

func newStreamsWatch(js jetstream.JetStream, cfg stream.Config, retry time.Duration, log *slog.Logger) *streamsWatch {
	w := &streamsWatch{js: js, cfg: cfg, retry: retry, log: log}
	w.reach.Store(&observe.Reach{})
	return w
}

// now is whether the streams could be prepared.
func (w *streamsWatch) now() observe.Reach { return *w.reach.Load() }

// run tries until it has prepared them or ctx ends, and returns nil.
func (w *streamsWatch) run(ctx context.Context) error {
	for {
		_, err := stream.Await(ctx, w.js, w.cfg, w.log)
		if ctx.Err() != nil {
			return nil
		}
		before := w.now()
		if err == nil {
			w.reach.Store(&observe.Reach{OK: true, Since: time.Now()})
			if before.Err != "" {
				w.log.Info("the streams are prepared now")
			}
			return nil
		}
		if err.Error() != before.Err {
			w.log.Error("the streams cannot be prepared, trying on", "err", err, "every", w.retry)
		}
		since := before.Since
		if since.IsZero() {
			since = time.Now()
		}
		w.reach.Store(&observe.Reach{Since: since, Err: err.Error()})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.retry):
		}
	}
}
