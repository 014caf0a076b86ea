package observe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const patience = 20 * time.Second

// bed is a server with the streams, and a client of it.
type bed struct {
	*testing.T
	nats *testbed.NATS
	js   jetstream.JetStream
}

func newBed(t *testing.T) *bed {
	t.Helper()
	n := testbed.StartNATS(t)
	b := &bed{T: t, nats: n, js: n.JetStream()}
	b.ensure()
	return b
}

func (b *bed) ensure() {
	b.Helper()
	if _, err := stream.Ensure(b.Context(), b.js, stream.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
}

// observer measures all parts at each measurement.
func (b *bed) observer(cfg observe.Config, universe ...string) *observe.Observer {
	b.Helper()
	if cfg.DetailInterval == 0 {
		cfg.DetailInterval = time.Nanosecond
	}
	o, err := observe.New(cfg, observe.Deps{JetStream: b.nats.JetStream(), Universe: universe, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	return o
}

func (b *bed) measure(o *observe.Observer) observe.Facts {
	b.Helper()
	facts, err := o.Measure(b.Context())
	if err != nil || !facts.JetStream.OK || len(facts.Incomplete) > 0 {
		b.Fatalf("Measure = %v, JetStream %+v, incomplete %+v", err, facts.JetStream, facts.Incomplete)
	}
	return facts
}

func (b *bed) publish(subject, payload string) time.Time {
	b.Helper()
	ack, err := b.js.Publish(b.Context(), subject, []byte(payload))
	if err != nil {
		b.Fatalf("publish to %s: %v", subject, err)
	}
	s, err := b.js.Stream(b.Context(), ack.Stream)
	if err != nil {
		b.Fatal(err)
	}
	msg, err := s.GetMsg(b.Context(), ack.Sequence)
	if err != nil {
		b.Fatal(err)
	}
	return msg.Time
}

// tick publishes a tick that is age old, and returns when it was stored.
func (b *bed) tick(symbol string, age time.Duration) time.Time {
	b.Helper()
	at := float64(time.Now().Add(-age).UnixMicro()) / 1e6
	return b.publish(stream.TickSubject(symbol), fmt.Sprintf(`{"symbol":%q,"price":1.5,"timestamp":%.6f}`, symbol, at))
}

func (b *bed) ticks(n int, symbols ...string) {
	b.Helper()
	for i := range n {
		b.tick(symbols[i%len(symbols)], 0)
	}
}

func (b *bed) mark(partition int) { b.Helper(); b.publish(stream.ClockSubject(partition), `{}`) }

func (b *bed) stream(name string) jetstream.Stream {
	b.Helper()
	s, err := b.js.Stream(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bed) report(r presence.Report) {
	b.Helper()
	value, err := json.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.components().Put(b.Context(), r.Role+"."+r.Instance, value); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) components() jetstream.KeyValue {
	b.Helper()
	kv, err := b.js.KeyValue(b.Context(), stream.ComponentsBucket)
	if err != nil {
		b.Fatal(err)
	}
	return kv
}

func (b *bed) eventually(what string, condition func() bool) {
	b.Helper()
	testbed.Eventually(b.T, patience, what, func(context.Context) bool { return condition() })
}
