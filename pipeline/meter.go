// Package pipeline consumes the streams.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// MeterConsumer is the durable consumer that the [Meter] reads TICKS with.
const MeterConsumer = "pipeline"

const (
	meterBatch   = 1000
	meterAckWait = 30 * time.Second
	meterRetry   = time.Second
)

// Meter consumes TICKS as fast as they come and counts them, so that the
// consumer's backlog, as the server sees it, tells whether consumption keeps up.
type Meter struct {
	js       jetstream.JetStream
	log      *slog.Logger
	consumed atomic.Int64
}

// NewMeter makes a meter on the TICKS of js.
func NewMeter(js jetstream.JetStream, log *slog.Logger) *Meter { return &Meter{js: js, log: log} }

// Run consumes until ctx ends. A stream that is away or made anew, or a
// consumer that was deleted, is waited for and taken up again.
func (m *Meter) Run(ctx context.Context) error {
	failing := false
	for ctx.Err() == nil {
		err := m.consume(ctx, func() { failing = false })
		if ctx.Err() != nil {
			return nil
		}
		if !failing {
			m.log.Warn("not consuming, trying again", "stream", stream.Ticks, "consumer", MeterConsumer, "err", err)
		}
		failing = true
		select {
		case <-ctx.Done():
		case <-time.After(meterRetry):
		}
	}
	return nil
}

// consume returns the error that ended one life of the consumer.
func (m *Meter) consume(ctx context.Context, began func()) error {
	setup, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	consumer, err := m.js.CreateOrUpdateConsumer(setup, stream.Ticks, jetstream.ConsumerConfig{
		Durable:       MeterConsumer,
		Description:   "measures the ticks that the pipeline takes in",
		FilterSubject: stream.AllTicks,
		// A meter counts what is new to it; the past was counted in its time.
		DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy:     jetstream.AckAllPolicy,
		AckWait:       meterAckWait,
		MaxAckPending: 10 * meterBatch,
	})
	if err != nil {
		return fmt.Errorf("create consumer %s: %w", MeterConsumer, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2 * meterBatch))
	if err != nil {
		return fmt.Errorf("consume %s: %w", stream.Ticks, err)
	}
	defer messages.Stop()
	m.log.Info("consuming", "stream", stream.Ticks, "consumer", MeterConsumer)
	began()
	for unacked := 0; ; {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue // NATS is away or slow; the iterator asks again by itself
		}
		if err != nil {
			return fmt.Errorf("consume %s: %w", stream.Ticks, err)
		}
		m.consumed.Add(1)
		unacked++
		if meta, err := msg.Metadata(); err != nil || unacked >= meterBatch || meta.NumPending == 0 {
			if err := msg.Ack(); err != nil {
				return fmt.Errorf("ack a tick: %w", err)
			}
			unacked = 0
		}
	}
}

// Report is what only the pipeline knows, for its presence.
func (m *Meter) Report() *presence.Pipeline {
	return &presence.Pipeline{Consumer: MeterConsumer, Consumed: m.consumed.Load()}
}
