package aggregate

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/encoded"
	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Whatever a bar holds, it is the same after it was packed.
func TestPackedBarsAreExact(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	magnitude := func() uint64 { // of any length, often round
		v := random.Uint64() >> random.IntN(64)
		if zeros := pow10[random.IntN(maxZeros+1)]; random.IntN(2) == 0 && v < math.MaxInt64/zeros {
			v *= zeros
		}
		return v & math.MaxInt64
	}
	decimal := func() tick.Decimal { return tick.Decimal(magnitude()) } //nolint:gosec // 63 bits
	bars := make([]slot, 3000)
	var packed []byte
	var before place
	for i := range bars {
		sl := &bars[i]
		start := int64(random.Uint32())
		*sl = slot{
			start: start, end: start + int64(random.IntN(90000)), closed: random.IntN(2) == 0, published: random.IntN(2) == 0, dirty: random.IntN(2) == 0,
			sum: bar.Accumulator{
				Open: decimal(), High: decimal(), Low: decimal(), Close: decimal(), Ticks: int64(magnitude()), //nolint:gosec // 63 bits
				OpenedBy: bar.Moment{UnixNanos: start*second + random.Int64N(minuteNanos), Sequence: magnitude()},
				ClosedBy: bar.Moment{UnixNanos: start*second - random.Int64N(minuteNanos), Sequence: magnitude()},
				Volume:   exact.Quantity{Low: random.Uint64()}, Notional: exact.Notional{Mid: random.Uint64() >> random.IntN(64), Low: random.Uint64()},
				FirstSequence: magnitude(), LastSequence: magnitude(),
			},
		}
		if random.IntN(2) == 0 {
			sl.sum = bar.Accumulator{}
			for range 1 + random.IntN(5) { // one of real ticks
				x := tick.Tick{Price: tick.Decimal(1+random.Int64N(100000)) * tick.One / 100, Volume: tick.Decimal(random.Int64N(5000)) * tick.One}
				sl.sum.Add(&x, bar.Moment{UnixNanos: start*second + random.Int64N(60000)*1e6, Sequence: uint64(i*10 + random.IntN(10))})
			}
		}
		if random.IntN(4) == 0 {
			sl.sum.Volume.High, sl.sum.Notional.High = random.Uint64(), random.Uint64()
		}
		if random.IntN(4) == 0 {
			sl.revision, sl.signalRevision = random.Uint32(), random.Uint32()
		}
		if random.IntN(4) == 0 {
			sl.stood = &candle.Candle{Open: random.Float64(), High: math.MaxFloat64, Low: -1, Close: 0.1, Volume: 3, VWAP: 1e-300}
		}
		n := len(packed)
		packed = appendSlot(packed, sl, before)
		if len(packed)-n < slotBytes {
			t.Errorf("%d bytes: less than the least", len(packed)-n)
		}
		before = sl.place()
	}
	r := encoded.Reader{Left: packed}
	before = place{}
	for i := range bars {
		got := readSlot(&r, before)
		if !reflect.DeepEqual(got, bars[i]) {
			t.Fatalf("bar %d: %+v\nwant %+v", i, got, bars[i])
		}
		before = got.place()
	}
	if r.Failed || len(r.Left) > 0 {
		t.Errorf("%d bytes are left, failed is %v", len(r.Left), r.Failed)
	}
	for cut := range 300 { // no end of what is cut off is read as a bar
		short := encoded.Reader{Left: packed[:cut]}
		for before = (place{}); len(short.Left) > 0 && !short.Failed; {
			sl := readSlot(&short, before)
			before = sl.place()
		}
	}
}
