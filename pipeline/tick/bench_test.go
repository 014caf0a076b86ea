package tick_test

import (
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/tick"
)

// The two shapes as AppV2's json.dumps writes them.
const (
	marketTick = `{"type": "market_tick", "symbol": "AAPL", "price": 187.42, "volume": 100, "timestamp": 1728300000.123, "source": "polygon"}`
	rawTick    = `{"ticker": "BRK.B", "price": 187.42, "volume": 1200.5, "timestamp": 1728300000.0, "event_type": "A", "source": "massive", ` +
		`"tick_open": 187.4, "tick_high": 187.45, "tick_low": 187.39, "tick_close": 187.42, "tick_volume": 1200, "tick_vwap": 187.4188, "bid": null, "ask": null}`
)

// clock is when the ticks of the tests are received.
var clock = time.Unix(1728300001, 0)

func newDecoder(tb testing.TB) *tick.Decoder {
	tb.Helper()
	d, err := tick.NewDecoder(tick.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func BenchmarkDecode(b *testing.B) {
	for _, bm := range []struct{ name, payload string }{
		{"market", marketTick},
		{"raw", rawTick},
		{"iso", `{"symbol":"AAPL","price":187.42,"volume":100,"timestamp":"2024-10-07T11:20:00.123+00:00"}`},
		{"refused", `{"type": "market_tick", "symbol": "AAPL", "price": NaN, "volume": 100, "timestamp": 1728300000.123}`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			d := newDecoder(b)
			payload := []byte(bm.payload)
			var t tick.Tick
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				err := d.Decode(payload, clock, &t)
				if (err != nil) != (bm.name == "refused") {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	d := newDecoder(b)
	var t tick.Tick
	if err := d.Decode([]byte(rawTick), clock, &t); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 512)
	b.Run("market", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = t.AppendJSON(buf[:0])
		}
	})
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = t.AppendRawJSON(buf[:0])
		}
	})
}
