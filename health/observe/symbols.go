package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

const (
	// symbolsFetched at once: what a client can hold even if each is the
	// longest tick there can be.
	symbolsFetched = 1000
	consumerLife   = 5 * time.Second
)

var errCutShort = errors.New("the answer was cut short")

// sighting is when the newest tick of a symbol was stored.
type sighting struct {
	symbol string
	at     time.Time
}

// symbolMeter reads the newest tick of each symbol: who is active, and how long
// ticks take to be stored.
type symbolMeter struct {
	decoder *tick.Decoder
	window  time.Duration
	created time.Time // of the stream that was read
	seq     uint64    // its last sequence then
}

func newSymbolMeter(window time.Duration) (*symbolMeter, error) {
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return &symbolMeter{decoder: decoder, window: window}, nil
}

// newDecoder reads stored ticks, which the bridge has judged by limits of its
// own. It is for one meter.
func newDecoder() (*tick.Decoder, error) {
	decoder, err := tick.NewDecoder(tick.Limits{MaxFuture: 24 * time.Hour, MaxPayloadBytes: 1 << 20, MaxSymbolBytes: 1 << 10})
	if err != nil {
		return nil, fmt.Errorf("make tick decoder: %w", err)
	}
	return decoder, nil
}

func (s *symbolMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	if m.info == nil || m.info.Created.Equal(s.created) && m.info.State.LastSeq == s.seq {
		return nil // nothing was stored since
	}
	consumer, err := m.ticks.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name:              stream.ReaderName("health"),
		Description:       "health reads the newest tick of each symbol",
		FilterSubject:     stream.AllTicks,
		DeliverPolicy:     jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: consumerLife,
	})
	if err != nil {
		return fmt.Errorf("create consumer of the newest ticks: %w", err)
	}
	defer func() {
		// If that fails, the server deletes it by itself.
		_ = m.ticks.DeleteConsumer(ctx, consumer.CachedInfo().Name)
	}()

	var lags []time.Duration
	newest := m.info.State.LastTime.Add(-s.window)
	for pending := consumer.CachedInfo().NumPending; pending > 0; {
		batch, err := consumer.FetchNoWait(int(min(pending, symbolsFetched)))
		if err != nil {
			return fmt.Errorf("fetch the newest ticks: %w", err)
		}
		got := uint64(0)
		for msg := range messages(ctx, batch) {
			got++
			stored, lag, err := look(s.decoder, msg)
			if err != nil {
				return err
			}
			if stored.symbol == "" {
				continue
			}
			m.seen = append(m.seen, stored)
			if lag != nil && !stored.at.Before(newest) {
				lags = append(lags, *lag)
			}
		}
		if err := errors.Join(ctx.Err(), batch.Error()); err != nil {
			return fmt.Errorf("fetch the newest ticks: %w", err)
		}
		if got == 0 {
			return fmt.Errorf("fetch the newest ticks: %w", errCutShort)
		}
		pending -= min(got, pending)
	}
	// What is stored with nothing new keeps the lag that it was stored with.
	if len(lags) > 0 {
		slices.Sort(lags)
		median := lags[len(lags)/2]
		facts.IngestLag, facts.FeedAhead = max(0, median), max(0, -median)
	}
	s.created, s.seq = m.info.Created, m.info.State.LastSeq
	return nil
}

// messages are those of batch until ctx ends.
func messages(ctx context.Context, batch jetstream.MessageBatch) func(yield func(jetstream.Msg) bool) {
	return func(yield func(jetstream.Msg) bool) {
		for {
			select {
			case msg, open := <-batch.Messages():
				if !open || !yield(msg) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// look reads whose tick msg is, when it was stored, and how long after its
// event that was: nil if it does not say. It is less than nothing for one that
// is dated ahead, such as an aggregate with the end of a second that lasts.
func look(decoder *tick.Decoder, msg jetstream.Msg) (sighting, *time.Duration, error) {
	stored, ok := stream.ParseStoredTick(msg.Subject())
	if !ok {
		return sighting{}, nil, nil // of a foreign hand
	}
	meta, err := msg.Metadata()
	if err != nil {
		return sighting{}, nil, fmt.Errorf("read the metadata of a tick: %w", err)
	}
	seen := sighting{stored.Symbol, meta.Timestamp}
	var t tick.Tick
	if decoder.Decode(msg.Data(), meta.Timestamp, &t) != nil {
		return seen, nil, nil // it counts as stored all the same
	}
	lag := meta.Timestamp.Sub(t.Time())
	return seen, &lag, nil
}
