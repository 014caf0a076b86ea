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

// BenchmarkPipeline is the whole pipeline on an embedded server: TICKS in,
// closed bars of all timeframes and all signals out, stored and acknowledged.
// Each symbol has a tick a second.
func BenchmarkPipeline(b *testing.B) {
	for _, symbols := range []int{500, 10000} {
		b.Run(fmt.Sprintf("symbols=%d", symbols), func(b *testing.B) {
			js := testbed.StartNATS(b).JetStream()
			if _, err := stream.Ensure(b.Context(), js, stream.Config{}, quiet); err != nil {
				b.Fatal(err)
			}
			ticks := fill(b, js, symbols, 130)
			for b.Loop() {
				w, err := worker.New(worker.Config{Instance: "one"}, js, quiet)
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error, 1)
				go func() { ended <- w.Run(ctx, stream.DefaultPartitions) }() // ends with cancel
				testbed.Eventually(b, 5*time.Minute, "all is worked through", func(ctx context.Context) bool {
					return oracle.WorkedThrough(ctx, js, stream.DefaultPartitions)
				})
				report := w.Report()
				b.ReportMetric(float64(ticks)/b.Elapsed().Seconds(), "ticks/s")
				b.ReportMetric(float64(report.Bars+report.Signals)/b.Elapsed().Seconds(), "results/s")
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapAlloc)/float64(symbols), "heapB/symbol")
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fill stores so many seconds of ticks, and a clock mark behind each.
func fill(b *testing.B, js jetstream.JetStream, symbols, seconds int) int {
	b.Helper()
	payload := make([]byte, 0, 256)
	start := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)
	for second := range seconds {
		at := start.Add(time.Duration(second) * time.Second)
		for i := range symbols {
			t := tick.Tick{Symbol: fmt.Appendf(nil, "S%d", i), Price: tick.Decimal(100+(second*7+i)%50) * tick.One, Volume: tick.One, UnixNanos: at.UnixNano()}
			payload = t.AppendJSON(payload[:0])
			if _, err := js.PublishMsgAsync(&nats.Msg{Subject: stream.TickSubject(t.Symbol), Data: append([]byte(nil), payload...)}); err != nil {
				b.Fatal(err)
			}
		}
		mark, err := json.Marshal(event.NewClockMark(at))
		if err != nil {
			b.Fatal(err)
		}
		for p := range stream.DefaultPartitions {
			if _, err := js.PublishMsgAsync(&nats.Msg{Subject: stream.ClockSubject(p), Data: mark}); err != nil {
				b.Fatal(err)
			}
		}
		select {
		case <-js.PublishAsyncComplete():
		case <-b.Context().Done():
			b.Fatal("stopped")
		}
	}
	return symbols * seconds
}
