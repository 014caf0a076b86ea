package health

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisLeaseTTL bounds a takeover after a kill to below 2 s: a holder that
// died is succeeded after this plus one campaign.
const redisLeaseTTL = 1500 * time.Millisecond

var (
	// Taking what is one's own already covers a reply that was lost.
	acquireScript = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)
	renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)
	releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`)
)

// redisLease elects one leader by a Redis key that expires. It is on Redis so
// that the election there works while NATS is away.
type redisLease struct {
	client redis.UniversalClient
	key    string
	holder string
	note   func(error) // is told how each try went
	log    *slog.Logger
}

// run campaigns until ctx ends. Whenever it holds the lease it runs lead, whose
// context ends when the lease is lost or ctx ends; lead must then return.
func (l *redisLease) run(ctx context.Context, lead func(context.Context) error) error {
	retry := time.NewTicker(redisLeaseTTL / 10)
	defer retry.Stop()
	for {
		if asked := time.Now(); l.try(ctx, acquireScript, redisLeaseTTL/2) {
			if err := l.hold(ctx, asked, lead); err != nil {
				return err
			}
		} else if ctx.Err() != nil {
			l.release() // it may have been taken after all
		}
		select {
		case <-ctx.Done():
			return nil
		case <-retry.C:
		}
	}
}

// hold runs lead and renews until either ends. The tenure counts from when a
// renewal was asked for, so it ends here before it ends on Redis.
func (l *redisLease) hold(ctx context.Context, renewed time.Time, lead func(context.Context) error) error {
	leadCtx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- lead(leadCtx) }() // ends when leadCtx ends; received below on every path
	defer l.release()

	renew := time.NewTicker(redisLeaseTTL / 4)
	defer renew.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return <-done
		case <-renew.C:
			left := time.Until(renewed.Add(redisLeaseTTL * 3 / 4))
			asked := time.Now()
			if l.try(ctx, renewScript, left) {
				renewed = asked
				continue
			}
			if ctx.Err() == nil {
				l.log.Warn("lease lost", "lease", l.key, "holder", l.holder)
			}
			stop()
			return <-done
		}
	}
}

// try runs a script that takes the lease, within limit.
func (l *redisLease) try(ctx context.Context, script *redis.Script, limit time.Duration) bool {
	tryCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	taken, err := script.Run(tryCtx, l.client, []string{l.key}, l.holder, redisLeaseTTL.Milliseconds()).Int()
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		err = fmt.Errorf("campaign for lease %s: %w", l.key, err)
	}
	l.note(err)
	return err == nil && taken == 1
}

// release gives the lease back at once, if it is still ours.
func (l *redisLease) release() {
	ctx, cancel := context.WithTimeout(context.Background(), redisLeaseTTL/3)
	defer cancel()
	if err := releaseScript.Run(ctx, l.client, []string{l.key}, l.holder).Err(); err != nil {
		l.log.Debug("lease left to expire", "lease", l.key, "err", err)
	}
}
