package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// leaseKey names what is led, in [stream.LeasesBucket].
const leaseKey = "health"

// natsBus publishes to JetStream.
type natsBus struct {
	js     jetstream.JetStream
	id     string // of this monitor, in message ids
	bucket *bucket
	lease  *lease.Lease
	offers []service.Config // of whoever leads
	log    *slog.Logger
}

var _ bus = (*natsBus)(nil)

func newNATSBus(js jetstream.JetStream, holder, id string, offers []service.Config, log *slog.Logger) (*natsBus, error) {
	leases := &bucket{js: js, name: stream.LeasesBucket}
	candidacy, err := lease.New(lease.Config{Key: leaseKey, Holder: holder, TTL: stream.LeaseTTL}, leases.open, log)
	if err != nil {
		return nil, fmt.Errorf("make health lease: %w", err)
	}
	return &natsBus{
		js: js, id: id, lease: candidacy, offers: offers, log: log,
		bucket: &bucket{js: js, name: stream.HealthBucket},
	}, nil
}

func (b *natsBus) name() string { return "NATS" }

func (b *natsBus) pollPeriod() time.Duration { return 500 * time.Millisecond }

func (b *natsBus) campaign(ctx context.Context, lead func(context.Context) error) error {
	if err := b.lease.Run(ctx, lead); err != nil {
		return fmt.Errorf("hold health lease on NATS: %w", err)
	}
	return nil
}

// serve answers requests, for whoever leads here decides on the session.
func (b *natsBus) serve(ctx context.Context) (stop func()) {
	var stops []func()
	for _, cfg := range b.offers {
		served, err := service.New(cfg, b.js.Conn(), b.log)
		if err == nil {
			var end func()
			if end, err = served.Serve(ctx); err == nil {
				stops = append(stops, end)
			}
		}
		if err != nil {
			b.log.Warn("requests are not answered", "service", cfg.Name, "err", err)
		}
	}
	return func() {
		for _, end := range stops {
			end()
		}
	}
}

func (b *natsBus) session() session.Store { return session.NATSStore{Bucket: b.bucket.open} }

// listeners of a stream find what they missed.
func (b *natsBus) listeners(context.Context) ([]int64, error) { return nil, nil }

// latest is what [stream.LatestHealthKey] holds: the event, and the alerts that
// were told of when it was made, for whoever takes over.
type latest struct {
	event.StreamingHealth
	Alerts alertSet `json:"alerts,omitempty"`
}

func (b *natsBus) health(ctx context.Context, u *update) error {
	if err := b.publish(ctx, stream.HealthStatus, "health-"+strconv.FormatUint(u.seq, 10), u.payload); err != nil {
		return err
	}
	value, err := json.Marshal(latest{u.event, u.alerts})
	if err != nil {
		return fmt.Errorf("encode latest health: %w", err)
	}
	kv, err := b.bucket.open(ctx)
	if err != nil {
		return err
	}
	if _, err := kv.Put(ctx, stream.LatestHealthKey, value); err != nil {
		return fmt.Errorf("store latest health: %w", err)
	}
	return nil
}

// maxTold is more alerts than there are causes.
const maxTold = 10_000

// told are the alerts that the process before us told of.
func (b *natsBus) told(ctx context.Context) (alertSet, error) {
	kv, err := b.bucket.open(ctx)
	if err != nil {
		return nil, err
	}
	entry, err := kv.Get(ctx, stream.LatestHealthKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read latest health: %w", err)
	}
	var stored latest
	if err := json.Unmarshal(entry.Value(), &stored); err != nil || len(stored.Alerts) > maxTold {
		return nil, nil //nolint:nilerr // of a foreign hand: nothing was told that we could take back
	}
	return stored.Alerts, nil
}

func (b *natsBus) announce(ctx context.Context, a session.Announcement) error {
	subject, e := stream.SessionStarted, any(a.Started)
	if a.Stopped != nil {
		subject, e = stream.SessionStopped, a.Stopped
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode session event: %w", err)
	}
	// The id is not of this process: a second one that says the same is a duplicate.
	return b.publishID(ctx, subject, a.ID, payload)
}

func (b *natsBus) alert(ctx context.Context, id string, alert event.CriticalAlert) error {
	payload, err := json.Marshal(alert)
	if err != nil {
		return fmt.Errorf("encode alert: %w", err)
	}
	return b.publish(ctx, stream.HealthAlert, id, payload)
}

func (b *natsBus) publish(ctx context.Context, subject, id string, payload []byte) error {
	return b.publishID(ctx, subject, b.id+"-"+id, payload)
}

func (b *natsBus) publishID(ctx context.Context, subject, id string, payload []byte) error {
	if _, err := b.js.Publish(ctx, subject, payload, jetstream.WithMsgID(id)); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, err)
	}
	return nil
}

// bucket opens a key-value bucket when it is needed, once.
type bucket struct {
	js     jetstream.JetStream
	name   string
	opened atomic.Pointer[jetstream.KeyValue]
}

// open waits until ctx ends for a bucket that is not there yet: at the first
// start another part of tickstream is just making it.
func (b *bucket) open(ctx context.Context) (jetstream.KeyValue, error) {
	if kv := b.opened.Load(); kv != nil {
		return *kv, nil
	}
	for {
		kv, err := b.js.KeyValue(ctx, b.name)
		if err == nil {
			b.opened.Store(&kv)
			return kv, nil
		}
		err = fmt.Errorf("open bucket %s: %w", b.name, err)
		if !errors.Is(err, jetstream.ErrBucketNotFound) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(25 * time.Millisecond):
		}
	}
}
