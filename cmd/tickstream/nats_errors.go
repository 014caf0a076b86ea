package main

import (
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// natsErrorsEvery is how often the same error of a connection is logged.
const natsErrorsEvery = 10 * time.Second

// logNATSErrors logs what a connection meets outside of any call, as that its
// user is not known any more; without it the client prints each on standard
// error.
func logNATSErrors(log *slog.Logger) nats.ErrHandler {
	var mu sync.Mutex
	var last string
	var at time.Time
	return func(_ *nats.Conn, sub *nats.Subscription, err error) {
		mu.Lock()
		defer mu.Unlock()
		if text := err.Error(); text != last || time.Since(at) >= natsErrorsEvery {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			log.Warn("NATS reports an error", "err", err, "subject", subject)
			last, at = text, time.Now()
		}
	}
}
