package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	readCount     = 1000
	readBlock     = time.Second
	claimInterval = 10 * time.Second
	// claimIdle is how long a consumer must have left an entry alone before
	// it counts as dead.
	claimIdle = 30 * time.Second
)

// redisStream reads a Redis stream as one consumer of a group. An entry is
// acknowledged to Redis once JetStream has it, so nothing is lost while the
// bridge is away.
type redisStream struct {
	connection
	client redis.UniversalClient
	cfg    Config
	log    *slog.Logger
	dials  *dials
	clock  *clock

	mu      sync.Mutex
	held    map[string]bool // entries read and not yet acknowledged to Redis
	settled []string        // entries to acknowledge to Redis
}

var _ source = (*redisStream)(nil)

func newRedisStream(client redis.UniversalClient, cfg Config, log *slog.Logger) *redisStream {
	return &redisStream{client: client, cfg: cfg, log: log, dials: watchDials(client), clock: newClock(log), held: make(map[string]bool)}
}

// run reads, and begins again whenever Redis was away.
func (s *redisStream) run(ctx context.Context, into *backlog) error {
	s.keep(ctx, s.log.With("redis_stream", s.cfg.Channel), func(connected func()) error { return s.read(ctx, into, connected) })
	return nil
}

// read joins the group, takes up what this consumer was given before, claims
// what dead consumers left, and then reads what is new until Redis fails or
// ctx ends.
func (s *redisStream) read(ctx context.Context, into *backlog, connected func()) error {
	err := s.client.XGroupCreateMkStream(ctx, s.cfg.Channel, s.cfg.Group, "0").Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return fmt.Errorf("join group %s of %s: %w", s.cfg.Group, s.cfg.Channel, err)
	}
	// A connection that is replaced may have taken a reply with it, and what
	// Redis gave out in it comes before all that is new.
	changes := s.dials.changes.Load()
	if err := s.readOwn(ctx, into); err != nil {
		return err
	}
	s.begin()
	connected()
	s.log.Info("reading", "redis_stream", s.cfg.Channel, "group", s.cfg.Group, "consumer", s.cfg.Consumer)

	marks := newMarkSchedule(s.cfg.MarkInterval, s.cfg.Lateness)
	var claimed time.Time
	for {
		if now := s.dials.changes.Load(); now != changes {
			if err := s.readOwn(ctx, into); err != nil {
				return err
			}
			changes = now
		}
		if time.Since(claimed) > claimInterval {
			if err := s.claim(ctx, into); err != nil {
				return err
			}
			claimed = time.Now()
		}
		asked := s.clock.now()
		entries, err := s.readGroup(ctx, ">", min(readBlock, marks.untilNext(asked)))
		if err != nil {
			return err
		}
		if s.dials.changes.Load() != changes {
			continue // these are its own now, and it reads them in their order
		}
		if err := s.hand(ctx, into, entries, false); err != nil {
			return err
		}
		s.acknowledge(ctx)
		if len(entries) < readCount && marks.due(asked) {
			if err := into.putWait(ctx, message{watermark: asked.Add(-s.cfg.Lateness), receivedAt: asked}); err != nil {
				return err
			}
		}
	}
}

// readOwn reads the entries that Redis holds as given to this consumer: from
// an earlier life, or from a reply that was lost on the way.
func (s *redisStream) readOwn(ctx context.Context, into *backlog) error {
	after := "0"
	for {
		entries, err := s.readGroup(ctx, after, -1)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		after = entries[len(entries)-1].ID
		if err := s.hand(ctx, into, entries, true); err != nil {
			return err
		}
	}
}

func (s *redisStream) readGroup(ctx context.Context, after string, block time.Duration) ([]redis.XMessage, error) {
	streams, err := s.client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: s.cfg.Group, Consumer: s.cfg.Consumer,
		Streams: []string{s.cfg.Channel, after}, Count: readCount, Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read group %s of %s: %w", s.cfg.Group, s.cfg.Channel, err)
	}
	if len(streams) == 0 {
		return nil, nil
	}
	return streams[0].Messages, nil
}

// claim takes over what consumers that are gone have left unacknowledged.
func (s *redisStream) claim(ctx context.Context, into *backlog) error {
	start := "0-0"
	for {
		entries, next, err := s.client.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: s.cfg.Channel, Group: s.cfg.Group, Consumer: s.cfg.Consumer,
			MinIdle: claimIdle, Start: start, Count: readCount,
		}).Result()
		if err != nil {
			return fmt.Errorf("claim entries of %s: %w", s.cfg.Channel, err)
		}
		if err := s.hand(ctx, into, entries, true); err != nil {
			return err
		}
		if next == "0-0" || next == "" {
			return nil
		}
		start = next
	}
}

// hand puts entries into the queue, but for those that are in it already.
func (s *redisStream) hand(ctx context.Context, into *backlog, entries []redis.XMessage, redelivered bool) error {
	now := s.clock.latest()
	for _, entry := range entries {
		s.mu.Lock()
		known := s.held[entry.ID]
		s.held[entry.ID] = true
		s.mu.Unlock()
		if known {
			continue
		}
		if entry.Values == nil {
			// Trimmed away before it was read: nothing is left but the id.
			s.settle(ctx, []message{{entryID: entry.ID}})
			continue
		}
		s.received.Add(1)
		m := message{receivedAt: now, entryID: entry.ID, redelivered: redelivered}
		m.payload, m.detail = s.payload(entry)
		if m.detail != "" {
			m.reason = reasonFieldMissing
		}
		if err := into.putWait(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// payload is the tick in an entry: its named field, or its only one.
func (s *redisStream) payload(entry redis.XMessage) (payload, refused string) {
	if value, ok := entry.Values[s.cfg.Field].(string); ok {
		return value, ""
	}
	if len(entry.Values) == 1 {
		for _, only := range entry.Values {
			if value, ok := only.(string); ok {
				return value, ""
			}
		}
	}
	whole, err := json.Marshal(entry.Values)
	if err != nil {
		whole = fmt.Appendf(nil, "%v", entry.Values)
	}
	return string(whole), fmt.Sprintf("entry %s has no field %q", entry.ID, s.cfg.Field)
}

// settle notes entries that are kept; they are acknowledged with the next read.
func (s *redisStream) settle(_ context.Context, kept []message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range kept {
		if kept[i].entryID != "" {
			s.settled = append(s.settled, kept[i].entryID)
		}
	}
}

// acknowledge tells Redis what is settled. What it cannot tell now it tells
// with the next call; Redis gives such entries again only to a new life of
// this consumer, which looks them up in JetStream.
func (s *redisStream) acknowledge(ctx context.Context) {
	s.mu.Lock()
	ids := s.settled
	s.settled = nil
	s.mu.Unlock()
	for len(ids) > 0 {
		n := min(len(ids), readCount)
		if err := s.client.XAck(ctx, s.cfg.Channel, s.cfg.Group, ids[:n]...).Err(); err != nil {
			s.mu.Lock()
			s.settled = append(ids, s.settled...)
			s.mu.Unlock()
			return
		}
		s.mu.Lock()
		for _, id := range ids[:n] {
			delete(s.held, id)
		}
		s.mu.Unlock()
		ids = ids[n:]
	}
}

// resume has nothing to do: a stream keeps what no bridge read.
func (s *redisStream) resume(time.Time) {}

// forget lets go of what was read: Redis gives it to the bridge that took over,
// or to this one's next term.
func (s *redisStream) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.held)
}

func (s *redisStream) finish(ctx context.Context) { s.acknowledge(ctx) }

// clockOff is how far the system's clock was stepped.
func (s *redisStream) clockOff() time.Duration { return s.clock.off() }
