// Package ceiling holds what tickstream is measured against: the plain loops
// that one would write by hand. Each runs in a process of its own.
package ceiling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// NaiveStream is what the naive loop fills.
	NaiveStream = "NAIVE"
	// NaiveTicks filters the ticks in it.
	NaiveTicks  = "naive.ticks.*.*"
	naivePrefix = "naive.ticks."
	drainFor    = 30 * time.Second
)

// CreateNaiveStream makes a stream that differs from TICKS, which must be there,
// in its name and subjects only.
func CreateNaiveStream(ctx context.Context, js jetstream.JetStream) error {
	s, err := js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	cfg := s.CachedInfo().Config
	cfg.Name, cfg.Subjects, cfg.Metadata = NaiveStream, []string{naivePrefix + "*"}, nil
	transform := *cfg.SubjectTransform
	transform.Source = strings.Replace(transform.Source, "tickstock.", "naive.", 1)
	transform.Destination = strings.Replace(transform.Destination, "tickstock.", "naive.", 1)
	cfg.SubjectTransform = &transform
	if _, err := js.CreateStream(ctx, cfg); err != nil {
		return fmt.Errorf("create stream %s: %w", NaiveStream, err)
	}
	return nil
}

// Cost is what a loop did.
type Cost struct {
	Messages    int64   `json:"messages"`
	Failed      int64   `json:"failed"`
	Seconds     float64 `json:"seconds"` // from the first message to the last
	Allocations uint64  `json:"allocations"`
}

func (c *Cost) allocated() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.Allocations = m.Mallocs
}

// Naive copies a Redis channel to JetStream until ctx ends: read a message, take
// its symbol, publish asynchronously without a message id.
func Naive(ctx context.Context, redisURL, channel, natsURL string) (Cost, error) {
	var cost Cost
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return cost, fmt.Errorf("read the address of Redis: %w", err)
	}
	client := redis.NewClient(options)
	defer client.Close() //nolint:errcheck // nothing to lose
	nc, err := nats.Connect(natsURL)
	if err != nil {
		return cost, fmt.Errorf("connect to NATS: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return cost, fmt.Errorf("open JetStream: %w", err)
	}
	subscription := client.Subscribe(ctx, channel)
	// A read that waits does not look at its context.
	closing := context.AfterFunc(ctx, func() { _ = subscription.Close() })
	defer closing()
	began := time.Time{}
	for {
		msg, err := subscription.ReceiveMessage(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return cost, fmt.Errorf("read from Redis: %w", err)
		}
		if began.IsZero() {
			began = time.Now()
		}
		var t struct {
			Symbol string `json:"symbol"`
		}
		data := []byte(msg.Payload)
		if err := json.Unmarshal(data, &t); err != nil {
			cost.Failed++
			continue
		}
		for {
			_, err = js.PublishAsync(naivePrefix+t.Symbol, data)
			if !errors.Is(err, jetstream.ErrTooManyStalledMsgs) {
				break
			}
		}
		if err != nil {
			cost.Failed++
			continue
		}
		cost.Messages++
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(drainFor):
		return cost, fmt.Errorf("%d messages are not acknowledged after %v", js.PublishAsyncPending(), drainFor)
	}
	cost.Seconds = time.Since(began).Seconds()
	cost.allocated()
	return cost, nil
}
