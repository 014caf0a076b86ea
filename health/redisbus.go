package health

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
)

// heartbeatExpiry is when AppV2 counts the producer as gone.
const heartbeatExpiry = time.Minute

// redisBus publishes to the channels that AppV2 reads.
type redisBus struct {
	client    redis.UniversalClient
	channels  event.Channels
	lease     redisLease
	now       func() time.Time
	receivers atomic.Int64 // of the last health event
	audience  audience
	muteBeat  atomic.Bool // the heartbeat could not be written
	log       *slog.Logger
}

var _ bus = (*redisBus)(nil)

func (b *redisBus) name() string { return "Redis" }

// pollPeriod bounds how long somebody who begins to listen waits to be told.
func (b *redisBus) pollPeriod() time.Duration { return 250 * time.Millisecond }

func (b *redisBus) campaign(ctx context.Context, lead func(context.Context) error) error {
	if err := b.lease.run(ctx, lead); err != nil {
		return fmt.Errorf("hold health lease on Redis: %w", err)
	}
	return nil
}

func (b *redisBus) session() session.Store {
	return session.RedisStore{Client: b.client, Key: b.channels.SessionKey}
}

// serve does nothing: AppV2 only listens.
func (b *redisBus) serve(context.Context) (stop func()) { return func() {} }

// listeners counts those of health and of sessions, to whom both are announced,
// over all nodes of a cluster, each of which knows only its own.
func (b *redisBus) listeners(ctx context.Context) ([]int64, error) {
	announced := []string{b.channels.Health, b.channels.SessionStarted}
	channels := append(announced, b.channels.Patterns)
	var mu sync.Mutex
	counts := make([]int64, len(channels))
	count := func(ctx context.Context, node redis.Cmdable) error {
		found, err := node.PubSubNumSub(ctx, channels...).Result()
		if err != nil {
			return fmt.Errorf("count listeners: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		for i, channel := range channels {
			counts[i] += found[channel]
		}
		return nil
	}
	var err error
	if cluster, ok := b.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachShard(ctx, func(ctx context.Context, node *redis.Client) error { return count(ctx, node) })
	} else {
		err = count(ctx, b.client)
	}
	if err != nil {
		return nil, err
	}
	b.audience.note(counts[0], counts[1:], b.now())
	return counts[:len(announced)], nil
}

func (b *redisBus) health(ctx context.Context, u *update) error {
	receivers, err := b.client.Publish(ctx, b.channels.Health, u.payload).Result()
	if err != nil {
		return fmt.Errorf("publish to %s: %w", b.channels.Health, err)
	}
	b.receivers.Store(receivers)
	b.log.Debug("health event published", "channel", b.channels.Health, "receivers", receivers)
	b.beat(ctx)
	return nil
}

// beat writes the heartbeat. The event went out without it, so that failing is
// no reason to send that again; it is logged once.
func (b *redisBus) beat(ctx context.Context) {
	seconds := strconv.FormatFloat(float64(b.now().UnixMilli())/1e3, 'f', 3, 64)
	err := b.client.Set(ctx, b.channels.HeartbeatKey, seconds, heartbeatExpiry).Err()
	if was := b.muteBeat.Swap(err != nil); err != nil && !was {
		b.log.Warn("the heartbeat cannot be written: AppV2 will call the producer offline", "key", b.channels.HeartbeatKey, "err", err)
	}
}

func (b *redisBus) announce(ctx context.Context, a session.Announcement) error {
	if a.Stopped != nil {
		return b.publish(ctx, b.channels.SessionStopped, a.Stopped)
	}
	return b.publish(ctx, b.channels.SessionStarted, a.Started)
}

func (b *redisBus) alert(ctx context.Context, _ string, alert event.CriticalAlert) error {
	return b.publish(ctx, b.channels.AlertsCritical, alert)
}

func (b *redisBus) publish(ctx context.Context, channel string, e any) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event for %s: %w", channel, err)
	}
	if err := b.client.Publish(ctx, channel, payload).Err(); err != nil {
		return fmt.Errorf("publish to %s: %w", channel, err)
	}
	return nil
}
