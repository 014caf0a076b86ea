//go:build unix

package aggregate_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// nothing takes results and forgets them.
type nothing struct{ bars, signals int }

func (n *nothing) Bar(*event.Bar) { n.bars++ }
func (n *nothing) BarsDone()      {}
func (n *nothing) Indicator(*event.IndicatorTemplate, event.BarKey, []float64, uint32, bool) {
	n.signals++
}
func (n *nothing) Pattern(*event.Pattern)      { n.signals++ }
func (n *nothing) Alert(*event.IndicatorAlert) { n.signals++ }
func (n *nothing) TooLate(*tick.Tick)          {}

// BenchmarkTick is aggregation alone, decoded ticks to bars: one tick a second
// and symbol, a minute's close with all indicators and patterns every 60.
func BenchmarkTick(b *testing.B) {
	for _, symbols := range []int{500, 10000} {
		b.Run(fmt.Sprintf("symbols=%d", symbols), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 1))
			ticks := make([]tick.Tick, symbols)
			for i := range ticks {
				ticks[i] = tick.Tick{
					Symbol: fmt.Appendf(nil, "S%d", i), Volume: 100 * tick.One,
					Price: tick.Decimal(random.Int64N(1000)+1) * tick.One / 10,
				}
			}
			n := &nothing{}
			p, err := aggregate.New(aggregate.Config{}, n)
			if err != nil {
				b.Fatal(err)
			}
			clock := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC).UnixNano()
			sequence := uint64(0)
			next := func(step time.Duration) {
				i := int(sequence) % symbols
				if i == 0 {
					clock += int64(step)
				}
				sequence++
				t := &ticks[i]
				t.UnixNanos = clock
				t.Price += tick.Decimal(sequence%7) - 3
				p.Tick(t, sequence)
			}
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

// BenchmarkMemory is what one symbol costs once all its windows are full: five
// trades a minute at times of milliseconds, prices that walk in cents, for longer
// than the longest average and the window of corrections.
func BenchmarkMemory(b *testing.B) {
	const symbols, minutes, trades = 500, 290, 5
	var before, after runtime.MemStats
	for b.Loop() {
		random := rand.New(rand.NewPCG(2, 3))
		runtime.GC()
		runtime.ReadMemStats(&before)
		p, err := aggregate.New(aggregate.Config{}, &nothing{})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC).UnixNano()
		cents := make([]int64, symbols)
		for i := range cents {
			cents[i] = 1000 + int64(i)*97
		}
		sequence := uint64(1 << 30)
		for step := range minutes * trades {
			for i := range symbols {
				cents[i] = max(100, cents[i]+random.Int64N(9)-4)
				t := tick.Tick{
					Symbol: fmt.Appendf(nil, "S%d", i), Price: tick.Decimal(cents[i]) * tick.One / 100, Volume: tick.Decimal(1+random.Int64N(2000)) * tick.One,
					UnixNanos: start + int64(step)*int64(time.Minute)/trades + random.Int64N(1000)*int64(time.Millisecond),
				}
				sequence++
				p.Tick(&t, sequence)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		encoded, err := p.AppendBinary(nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/symbols, "B/symbol")
		b.ReportMetric(float64(len(encoded))/symbols, "checkpointB/symbol")
		runtime.KeepAlive(p)
	}
}
