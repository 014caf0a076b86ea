//go:build unix

package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/tick"
	"github.com/tickstock/tickstream/pipeline/worker"
)

// BenchmarkRebuild is the whole pipeline on an embedded server: TICKS in, closed
// bars of all timeframes and all signals out, stored and acknowledged. Each
// symbol has a tick a second. The ratio is to an ordered consumer that counts
// what it is given, on the same stream in the same run.
func BenchmarkRebuild(b *testing.B) {
	for _, load := range []struct{ symbols, seconds int }{{500, 1200}, {10000, 130}} {
		b.Run(fmt.Sprintf("symbols=%d", load.symbols), func(b *testing.B) {
			js := testbed.StartNATS(b).JetStream()
			if _, err := stream.Ensure(b.Context(), js, stream.Config{}, quiet); err != nil {
				b.Fatal(err)
			}
			ticks := fill(b, js, load.symbols, load.seconds)
			b.ResetTimer()
			for b.Loop() {
				b.StopTimer()
				before := testbed.Processor()
				raw := count(b, js)
				rawProcessor := testbed.Processor() - before
				forgetResults(b, js)
				b.StartTimer()
				w, err := worker.New(worker.Config{Instance: "one"}, js, quiet)
				if err != nil {
					b.Fatal(err)
				}
				begun, before := time.Now(), testbed.Processor()
				stop := run(b, w)
				testbed.Eventually(b, 5*time.Minute, "all is read", func(context.Context) bool {
					return w.Report().Consumed >= int64(ticks)
				})
				testbed.Eventually(b, 5*time.Minute, "all is worked through", func(ctx context.Context) bool {
					return oracle.WorkedThrough(ctx, js, stream.DefaultPartitions)
				})
				took, processor := time.Since(begun).Seconds(), testbed.Processor()-before
				report := w.Report()
				b.ReportMetric(raw, "raw/s")
				b.ReportMetric(float64(ticks)/took, "ticks/s")
				b.ReportMetric(float64(ticks)/took/raw, "ratio")
				b.ReportMetric(float64(report.Bars+report.Signals)/took, "results/s")
				b.ReportMetric(float64(rawProcessor.Nanoseconds())/float64(ticks), "raw-cpu-ns")
				b.ReportMetric(float64(processor.Nanoseconds())/float64(ticks), "cpu-ns/tick")
				b.ReportMetric(float64(rawProcessor)/float64(processor), "cpu-ratio")
				stop()
			}
		})
	}
}

// count reads all of TICKS and tells how many messages came a second.
func count(b *testing.B, js jetstream.JetStream) float64 {
	b.Helper()
	runtime.GC()
	begun := time.Now()
	consumer, err := js.OrderedConsumer(b.Context(), stream.Ticks, jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	left := consumer.CachedInfo().NumPending
	all := left
	done := make(chan struct{})
	consuming, err := consumer.Consume(func(jetstream.Msg) {
		if left--; left == 0 {
			close(done)
		}
	}, jetstream.PullMaxMessages(4000))
	if err != nil {
		b.Fatal(err)
	}
	defer consuming.Stop()
	select {
	case <-done:
	case <-b.Context().Done():
		b.Fatal("stopped")
	}
	return float64(all) / time.Since(begun).Seconds()
}

// forgetResults removes what workers made of TICKS.
func forgetResults(b *testing.B, js jetstream.JetStream) {
	b.Helper()
	for _, name := range []string{stream.Bars, stream.Signals, stream.Rejects, "KV_" + stream.CheckpointsBucket} {
		if err := js.DeleteStream(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := stream.Ensure(b.Context(), js, stream.Config{}, quiet); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
}

// run starts a worker on all partitions and returns what stops it.
func run(b *testing.B, w *worker.Worker) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, stream.DefaultPartitions) }() // ends with stop
	return func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// fill stores so many seconds of ticks, and a clock mark behind each.
func fill(b *testing.B, js jetstream.JetStream, symbols, seconds int) (messages int) {
	b.Helper()
	payload := make([]byte, 0, 256)
	start := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)
	for second := range seconds {
		at := start.Add(time.Duration(second) * time.Second)
		for i := range symbols {
			t := tick.Tick{
				Symbol: fmt.Appendf(nil, "S%d", i), Source: []byte("polygon"), UnixNanos: at.UnixNano() + int64(i%1000)*int64(time.Millisecond),
				Price: tick.Decimal(10000+(second*7+i*31)%50) * tick.One / 100, Volume: tick.Decimal(100+i%7) * tick.One,
			}
			payload = t.AppendJSON(payload[:0])
			if _, err := js.PublishMsgAsync(&nats.Msg{Subject: stream.TickSubject(t.Symbol), Data: append([]byte(nil), payload...)}, jetstream.WithStallWait(time.Minute)); err != nil {
				b.Fatal(err)
			}
		}
		mark(b, js, at)
	}
	return (symbols + stream.DefaultPartitions) * seconds
}

// mark stores a clock mark in each partition, and waits until all is stored.
func mark(b *testing.B, js jetstream.JetStream, at time.Time) {
	b.Helper()
	data, err := json.Marshal(event.NewClockMark(at))
	if err != nil {
		b.Fatal(err)
	}
	for p := range stream.DefaultPartitions {
		if _, err := js.PublishMsgAsync(&nats.Msg{Subject: stream.ClockSubject(p), Data: data}, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-b.Context().Done():
		b.Fatal("stopped")
	}
}
