package replay_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestRaw(t *testing.T) {
	n := testbed.StartNATS(t)
	js := n.JetStream()
	ctx := t.Context()
	if _, err := stream.Ensure(ctx, js, stream.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	const N = 500_000
	t0 := time.Now()
	for i := range N {
		_, err := js.PublishAsync(stream.TickSubject(fmt.Sprintf("SYM%d", i%60)), fmt.Appendf(nil, `{"type":"market_tick","symbol":"SYM%d","price":123.45,"volume":100,"timestamp":%d.123,"source":"simulated"}`, i%60, 1728300000+i))
		if err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	fmt.Println("published", time.Since(t0))
	for _, filters := range [][]string{nil, {stream.AllTicks}, {stream.TickFilter("SYM1"), stream.TickFilter("SYM2")}} {
	for range 2 {
		cons, err := js.OrderedConsumer(ctx, stream.Ticks, jetstream.OrderedConsumerConfig{FilterSubjects: filters})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		t0 = time.Now()
		k := 0
		cc, err := cons.Consume(func(m jetstream.Msg) {
			k++
			if md, _ := m.Metadata(); md.NumPending == 0 {
				close(done)
			}
		}, jetstream.PullMaxMessages(10000))
		if err != nil {
			t.Fatal(err)
		}
		<-done
		cc.Stop()
		fmt.Println(filters, "consume", float64(k)/time.Since(t0).Seconds())

		cons, _ = js.OrderedConsumer(ctx, stream.Ticks, jetstream.OrderedConsumerConfig{FilterSubjects: filters})
		it, err := cons.Messages(jetstream.PullMaxMessages(10000))
		if err != nil {
			t.Fatal(err)
		}
		t0 = time.Now()
		k = 0
		for {
			m, err := it.Next()
			if err != nil {
				t.Fatal(err)
			}
			k++
			if md, _ := m.Metadata(); md.NumPending == 0 {
				break
			}
		}
		it.Stop()
		fmt.Println(filters, "messages", float64(k)/time.Since(t0).Seconds())
	}
	}
}
