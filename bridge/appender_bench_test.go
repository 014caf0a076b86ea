package bridge

import (
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// BenchmarkAppend stores batches of 1,000 ticks of 500 symbols in TICKS over a
// loopback connection; an op is one tick.
func BenchmarkAppend(b *testing.B) {
	for _, durability := range []Durability{ProcessSafe, PowerSafe} {
		b.Run(string(durability), func(b *testing.B) { benchmarkAppend(b, durability) })
	}
}

func benchmarkAppend(b *testing.B, durability Durability) {
	js := testbed.StartNATS(b).JetStream()
	log := slog.New(slog.DiscardHandler)
	if _, err := stream.Ensure(b.Context(), js, stream.Config{}, log); err != nil {
		b.Fatal(err)
	}
	appendMany(b, js, durability)
}

func appendMany(b *testing.B, js jetstream.JetStream, durability Durability) {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	a := newAppender(js, stream.Ticks, Config{Durability: durability, PublishTimeout: 10 * time.Second}, always, nil, true, log)
	payload := make([]byte, 110)
	batch := make([]*nats.Msg, 0, 1000)
	var out outgoing
	subjects := make([]string, 500)
	for i := range subjects {
		subjects[i] = stream.TickSubject("S" + strconv.Itoa(i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if batch = append(batch, out.make(subjects[i%len(subjects)], "b."+strconv.Itoa(i), payload)); len(batch) == cap(batch) || i == b.N-1 {
			if err := a.append(b.Context(), 0, batch, time.Now(), false); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
			out.reset()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ticks/s")
}
