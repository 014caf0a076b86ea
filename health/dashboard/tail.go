package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// tryAgainAfter is how long a stream that cannot be read is left alone.
const tryAgainAfter = 2 * time.Second

// followSignals puts patterns and alerts on the board: those of the history, then
// each as it is stored.
func (d *Dashboard) followSignals(ctx context.Context) {
	d.tail(ctx, stream.Signals, []string{stream.SignalsOf(event.KindPattern), stream.SignalsOf(event.KindAlert)},
		func(subject string, at time.Time, data []byte) {
			if e, ok := signalEntry(subject, at, data); ok {
				d.board.add(topicEntries, e.At, e)
			}
		})
}

// followHealthEvents puts on the board what health told before this process did,
// for the charts, and alerts, gaps and sessions for the feed.
func (d *Dashboard) followHealthEvents(ctx context.Context) {
	d.tail(ctx, stream.Health, nil, func(subject string, at time.Time, data []byte) {
		if subject == stream.HealthStatus {
			d.addPast(data)
			return
		}
		if e, ok := healthEntry(subject, at, data); ok {
			d.board.add(topicEntries, e.At, e)
		}
	})
}

// addPast puts an event of before on the charts. What this process knows itself
// is left out: two that measure at once do not agree to the last digit.
func (d *Dashboard) addPast(data []byte) {
	var e event.StreamingHealth
	if json.Unmarshal(data, &e) != nil || e.Health.Timestamp.IsZero() {
		return // of a foreign hand
	}
	at := e.Health.Timestamp.UnixMilli()
	if first := d.begun.Load(); first == 0 || at < first {
		d.board.add(topicPoints, at, newPoint(e))
	}
}

// tail hands on what a stream holds of the history, and then what is stored,
// each once, however often NATS goes away. The stream may be made later.
func (d *Dashboard) tail(ctx context.Context, name string, filters []string, take func(subject string, at time.Time, data []byte)) {
	since := time.Now().Add(-d.cfg.History)
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: filters, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}
	for {
		last, err := d.read(ctx, name, cfg, take)
		if ctx.Err() != nil {
			return
		}
		if last > 0 {
			cfg.DeliverPolicy, cfg.OptStartTime, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, nil, last+1
		}
		d.deps.Log.Debug("dashboard cannot follow a stream, trying again", "stream", name, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(tryAgainAfter):
		}
	}
}

// read hands on until it fails, and returns the sequence that was handed on last.
func (d *Dashboard) read(ctx context.Context, name string, cfg jetstream.OrderedConsumerConfig, take func(string, time.Time, []byte)) (last uint64, err error) {
	if !d.deps.JetStream.Conn().IsConnected() {
		return 0, stream.ErrNotConnected // without waiting for a timeout
	}
	cfg.NamePrefix = stream.ReaderName("dashboard")
	consumer, err := d.deps.JetStream.OrderedConsumer(ctx, name, cfg)
	if err != nil {
		return 0, fmt.Errorf("make consumer on %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return 0, fmt.Errorf("read from %s: %w", name, err)
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	defer func() { stop(); messages.Stop() }()
	for {
		msg, err := messages.Next()
		if err != nil {
			if errors.Is(err, jetstream.ErrNoHeartbeat) {
				continue // the consumer makes itself anew
			}
			return last, fmt.Errorf("read from %s: %w", name, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return last, fmt.Errorf("read a message's place in %s: %w", name, err)
		}
		last = meta.Sequence.Stream
		take(msg.Subject(), meta.Timestamp, msg.Data())
	}
}
