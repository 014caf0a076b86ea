package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// expiry on Redis outlives a long weekend; an older session means nothing.
const expiry = 5 * 24 * time.Hour

// Store keeps the record on one bus.
type Store interface {
	// Load returns the stored record, the zero one where there is none, and
	// [ErrInvalid] where something else is stored.
	Load(ctx context.Context) (Record, error)
	Save(ctx context.Context, r Record) error
}

// NATSStore keeps the record in the bucket [stream.HealthBucket].
type NATSStore struct {
	// Bucket opens the bucket, which may come into being later.
	Bucket func(context.Context) (jetstream.KeyValue, error)
}

// RedisStore keeps the record under a key that expires after some days.
type RedisStore struct {
	Client redis.UniversalClient
	Key    string
}

var (
	_ Store = NATSStore{}
	_ Store = RedisStore{}
)

// Load implements [Store].
func (s NATSStore) Load(ctx context.Context) (Record, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return Record{}, fmt.Errorf("open health bucket: %w", err)
	}
	entry, err := bucket.Get(ctx, stream.CurrentSessionKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("read session: %w", err)
	}
	return DecodeRecord(entry.Value())
}

// Save implements [Store].
func (s NATSStore) Save(ctx context.Context, r Record) error {
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return fmt.Errorf("open health bucket: %w", err)
	}
	if _, err := bucket.Put(ctx, stream.CurrentSessionKey, value); err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	return nil
}

// Load implements [Store].
func (s RedisStore) Load(ctx context.Context) (Record, error) {
	// No more than tells that it is too long; of a missing key nothing.
	value, err := s.Client.GetRange(ctx, s.Key, 0, MaxRecord).Bytes()
	if err != nil {
		return Record{}, fmt.Errorf("read session: %w", err)
	}
	if len(value) == 0 {
		return Record{}, nil
	}
	return DecodeRecord(value)
}

// Save implements [Store].
func (s RedisStore) Save(ctx context.Context, r Record) error {
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	if err := s.Client.Set(ctx, s.Key, value, expiry).Err(); err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	return nil
}
