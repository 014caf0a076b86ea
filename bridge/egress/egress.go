package egress

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"golang.org/x/sync/errgroup"
)

// LeaseKey is held by the one process that sends.
const LeaseKey = presence.RoleBridge + ".egress"

// Egress sends results to Redis for as long as it holds the lease.
type Egress struct {
	cfg   Config
	redis redis.UniversalClient
	nats  *nats.Conn
	js    jetstream.JetStream
	log   *slog.Logger
	lease *lease.Lease
	meter meter
}

// New makes an egress from the streams behind nc to redis.
func New(cfg Config, redis redis.UniversalClient, nc *nats.Conn, js jetstream.JetStream, log *slog.Logger) (*Egress, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("egress settings: %w", err)
	}
	e := &Egress{cfg: cfg.withDefaults(), redis: redis, nats: nc, js: js, log: log, meter: newMeter()}
	var err error
	e.lease, err = lease.New(lease.Config{Key: LeaseKey, Holder: cfg.Instance, TTL: stream.LeaseTTL},
		func(ctx context.Context) (jetstream.KeyValue, error) { return js.KeyValue(ctx, stream.LeasesBucket) }, log)
	if err != nil {
		return nil, fmt.Errorf("lease of the egress: %w", err)
	}
	return e, nil
}

// Run sends whenever it holds the lease, until ctx ends; a batch that is being
// sent is finished. Redis or NATS being away is waited for.
func (e *Egress) Run(ctx context.Context) error {
	return e.lease.Run(ctx, e.lead) //nolint:wrapcheck // lead returns none
}

// lead has one tenure: every kind by itself, so that none waits for another's
// backlog.
func (e *Egress) lead(ctx context.Context) error {
	e.meter.active.Store(true)
	defer e.meter.active.Store(false)
	e.log.Info("sending results to redis", "channels", e.cfg.Channels.Indicators)
	group := errgroup.Group{}
	for _, f := range e.flows() {
		group.Go(func() error { // ends with ctx
			failing := false
			for ctx.Err() == nil {
				err := f.run(ctx, func() { failing = false })
				if ctx.Err() != nil {
					break
				}
				if !failing {
					e.log.Warn("results are not sent, trying again", "consumer", f.durable, "err", err)
				}
				failing = true
				pause(ctx, 500*time.Millisecond)
			}
			return nil
		})
	}
	group.Go(func() error { // ends with ctx
		e.confirmations(ctx)
		return nil
	})
	return group.Wait() //nolint:wrapcheck // there is none
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
