package worker_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/tick"
	"github.com/tickstock/tickstream/pipeline/worker"
)

// BenchmarkClose closes the minute of 500 symbols at once, with all indicators
// and patterns on: from just before the clock mark is published to when a
// subscriber of BARS has the bar. A round is one minute.
func BenchmarkClose(b *testing.B) {
	const symbols, warm = 500, 40
	nats := testbed.StartNATS(b)
	js := nats.JetStream()
	if _, err := stream.Ensure(b.Context(), js, stream.Config{}, quiet); err != nil {
		b.Fatal(err)
	}
	w, err := worker.New(worker.Config{Instance: "one"}, js, quiet)
	if err != nil {
		b.Fatal(err)
	}
	defer run(b, w)()
	bars := subscribe(b, nats.JetStream())
	minute := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)
	took := make([]time.Duration, 0, 1<<16)
	round := func(i int) {
		trade(b, js, symbols, i, minute)
		testbed.Eventually(b, time.Minute, "the ticks are read", func(ctx context.Context) bool {
			return oracle.WorkedThrough(ctx, js, stream.DefaultPartitions)
		})
		minute = minute.Add(time.Minute)
		begun := time.Now()
		mark(b, js, minute)
		for range symbols {
			select {
			case at := <-bars:
				took = append(took, at.Sub(begun))
			case <-b.Context().Done():
				b.Fatal("stopped")
			}
		}
		testbed.Eventually(b, time.Minute, "the signals are stored", func(ctx context.Context) bool {
			return oracle.WorkedThrough(ctx, js, stream.DefaultPartitions)
		})
	}
	for i := range warm {
		round(i)
	}
	took = took[:0]
	for i := warm; b.Loop(); i++ {
		round(i)
	}
	slices.Sort(took)
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(milliseconds(took[len(took)-1]), "max-ms")
}

// trade stores a tick of each symbol in the minute.
func trade(b *testing.B, js jetstream.JetStream, symbols, round int, minute time.Time) {
	b.Helper()
	for i := range symbols {
		t := tick.Tick{
			Symbol: fmt.Appendf(nil, "S%d", i), UnixNanos: minute.Add(30 * time.Second).UnixNano(),
			Price: tick.Decimal(10000+(round*7+i*31)%50) * tick.One / 100, Volume: 100 * tick.One,
		}
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: stream.TickSubject(t.Symbol), Data: t.AppendJSON(nil)}, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-b.Context().Done():
		b.Fatal("stopped")
	}
}

// subscribe gives the moment at which each bar of a minute comes.
func subscribe(b *testing.B, js jetstream.JetStream) <-chan time.Time {
	b.Helper()
	consumer, err := js.OrderedConsumer(b.Context(), stream.Bars, jetstream.OrderedConsumerConfig{FilterSubjects: []string{"tickstock.bars.1min.*"}})
	if err != nil {
		b.Fatal(err)
	}
	came := make(chan time.Time, 1<<12)
	consuming, err := consumer.Consume(func(jetstream.Msg) { came <- time.Now() })
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(consuming.Stop)
	return came
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
