//go:build unix

package worker

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// nowhere takes results and forgets them.
type nowhere struct{ aggregate.Results }

func (nowhere) Bar(*event.Bar) {}
func (nowhere) BarsDone()      {}
func (nowhere) Indicator(*event.IndicatorTemplate, event.BarKey, []float64, uint32, bool) {
}
func (nowhere) Pattern(*event.Pattern)      {}
func (nowhere) Alert(*event.IndicatorAlert) {}

// stored is a message of TICKS as a consumer gives it.
type stored struct {
	jetstream.Msg
	subject, reply string
	payload        []byte
}

func (s *stored) Subject() string { return s.subject }
func (s *stored) Reply() string   { return s.reply }
func (s *stored) Data() []byte    { return s.payload }

// BenchmarkDecodeAndAggregate is all that the pipeline does with a message of
// TICKS, from what the NATS client gives to the updated bar, and once a minute
// the closed bar with all indicators and patterns; not their publication. Each
// symbol has a tick a second.
func BenchmarkDecodeAndAggregate(b *testing.B) {
	for _, symbols := range []int{500, 10000} {
		b.Run(fmt.Sprintf("symbols=%d", symbols), func(b *testing.B) {
			next := taking(b, symbols)
			for range symbols * 80 { // until bars leave the window of corrections
				next(time.Minute)
			}
			runtime.GC()
			b.ReportAllocs()
			before := testbed.Processor()
			for b.Loop() {
				next(time.Second)
			}
			b.ReportMetric(float64((testbed.Processor()-before).Nanoseconds())/float64(b.N), "cpu-ns/tick")
		})
	}
}

// taking returns what takes the next tick of so many symbols in turn, with a
// step of event time between two of the same.
func taking(b *testing.B, symbols int) (next func(step time.Duration)) {
	b.Helper()
	aggregator, err := aggregate.New(aggregate.Config{}, nowhere{})
	if err != nil {
		b.Fatal(err)
	}
	decoder, err := tick.NewDecoder(Config{MaxFuture: time.Minute}.limits())
	if err != nil {
		b.Fatal(err)
	}
	t := &tenure{aggregator: aggregator, decoder: decoder, results: &results{}, counters: &counters{}}
	second := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC).Unix()
	messages := make([]stored, symbols)
	for i := range messages {
		symbol := fmt.Sprintf("S%d", i)
		messages[i] = stored{
			subject: fmt.Sprintf("tickstock.ticks.%d.%s", stream.PartitionOf(symbol, stream.DefaultPartitions), symbol),
			payload: fmt.Appendf(nil, `{"type": "market_tick", "symbol": "%s", "price": 187.%02d, "volume": %d, "timestamp": %d.%03d, "source": "polygon"}`,
				symbol, i%90+10, 100+i%7, second, i%1000),
		}
	}
	const timestampEnd = len(`.000, "source": "polygon"}`)
	reply := fmt.Sprintf("$JS.ACK.TICKS.pipeline_0.1.%d.%d.%d.4000", 123456789, 1234567, (second+36000)*int64(time.Second))
	sequence := uint64(0)
	return func(step time.Duration) {
		i := int(sequence % uint64(symbols)) //nolint:gosec // small
		if i == 0 {
			second += int64(step / time.Second)
		}
		sequence++
		s := &messages[i]
		s.reply = reply
		at := len(s.payload) - timestampEnd
		strconv.AppendInt(s.payload[at-10:at-10], second, 10)
		m, ok := newMessage(s)
		if !ok {
			b.Fatal("not a message")
		}
		m.sequence = sequence
		t.take(&m)
	}
}
