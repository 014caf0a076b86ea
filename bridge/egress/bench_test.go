package egress_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/bridge/egress"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// A backlog of indicators from JetStream to Redis.
func BenchmarkIndicators(b *testing.B) {
	n, r := testbed.StartNATS(b), testbed.StartRedis(b)
	js := n.JetStream()
	if _, err := stream.Ensure(b.Context(), js, stream.Config{}, quiet); err != nil {
		b.Fatal(err)
	}
	nc := n.Connect()
	own, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	run := func(instance string) (*egress.Egress, func()) {
		e, err := egress.New(egress.Config{Instance: instance, Channels: r.Channels}, r.Client(), nc, own, quiet)
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }() // ends with the cancellation
		return e, func() {
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		}
	}
	_, stop := run("first")
	testbed.Eventually(b, 10*time.Second, "the consumer is made", func(ctx context.Context) bool {
		_, err := js.Consumer(ctx, stream.Signals, "egress_indicators")
		return err == nil
	})
	stop()
	data, err := json.Marshal(rsi("AAPL", 72.5, 0))
	if err != nil {
		b.Fatal(err)
	}
	subject := stream.SignalSubject(event.KindIndicator, "RSI", "AAPL")
	for range b.N {
		if _, err := js.PublishAsync(subject, data, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	b.ResetTimer()
	e, stop := run("second")
	defer stop()
	testbed.Eventually(b, 2*time.Minute, "all are sent", func(context.Context) bool {
		return e.Report().Channels[r.Channels.Indicators].Published >= int64(b.N)
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
