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
	nats  *nats.Conn
	js    jetstream.JetStream
	log   *slog.Logger
	lease *lease.Lease
	fence *fence
	meter meter
}

// New makes an egress from the streams behind nc to the Redis behind client.
// js must be of nc.
func New(cfg Config, client redis.UniversalClient, nc *nats.Conn, js jetstream.JetStream, log *slog.Logger) (*Egress, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("egress settings: %w", err)
	}
	e := &Egress{
		cfg: cfg.withDefaults(), nats: nc, js: js, log: log,
		fence: newFence(client, js, cfg.Channels, cfg.Instance),
		meter: meter{channels: map[string]presence.Channel{}},
	}
	var err error
	e.lease, err = lease.New(lease.Config{Key: LeaseKey, Holder: cfg.Instance, TTL: stream.LeaseTTL},
		stream.OpenBucket(js, stream.LeasesBucket), log)
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
	e.fence.forget()
	flows := e.flows()
	var group errgroup.Group // all end with ctx
	for _, f := range flows {
		group.Go(func() error { f.carry(ctx); return nil })
	}
	group.Go(func() error { e.confirmations(ctx); return nil })
	group.Go(func() error { e.measure(ctx, flows); return nil })
	return group.Wait() //nolint:wrapcheck // there is none
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
