package oracle

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/tickstock/tickstream/pipeline/tick"
)

// Traffic is a partition's messages: several symbols, seconds with their own
// prices among trades, quotes, ticks out of order, late, much too late and
// twice, marks, and silence.
func Traffic(random *rand.Rand, n int) []Message {
	symbols := []string{"AAPL", "BRK.B", "^SPX", "idle"}
	prices := []float64{150, 400, 5000, 10}
	clock := time.Date(2026, 3, 6, 20, 0, 0, 0, time.UTC) // a Friday; the market's midnight is ahead
	var messages []Message
	for seq := uint64(1); len(messages) < n; seq += 1 + uint64(random.IntN(3)) {
		clock = clock.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
		if random.IntN(500) == 0 {
			clock = clock.Add(time.Duration(random.IntN(90)) * time.Minute)
		}
		if random.IntN(20) == 0 {
			messages = append(messages, Message{Sequence: seq, Mark: clock.Add(-2 * time.Second).Truncate(time.Millisecond)})
			continue
		}
		i := random.IntN(len(symbols))
		if symbols[i] == "idle" && random.IntN(30) > 0 {
			i = 0
		}
		at := clock
		switch random.IntN(40) {
		case 0:
			at = at.Add(-time.Duration(random.IntN(180)) * time.Second)
		case 1:
			at = at.Add(-time.Duration(random.IntN(90)) * time.Minute)
		case 2:
			at = at.Truncate(time.Minute)
		}
		prices[i] = max(5, prices[i]+random.NormFloat64())
		price, _ := tick.DecimalFromFloat(math.Round(prices[i]*100) / 100)
		volume, _ := tick.DecimalFromFloat(math.Round(random.ExpFloat64()*1000) / 8)
		t := &tick.Tick{Symbol: []byte(symbols[i]), Price: price, Volume: volume, UnixNanos: at.UnixNano()}
		switch random.IntN(12) {
		case 0:
			t.Kind = tick.Quote
		case 1, 2, 3:
			t.Kind, t.Present = tick.Aggregate, tick.FieldsOHLC|tick.FieldVWAP
			t.Open, t.Close, t.VWAP = price-tick.One/7, price, price-tick.One/13
			t.High, t.Low = price+tick.One/3, price-tick.One/2
		}
		messages = append(messages, Message{Sequence: seq, Tick: t})
		if random.IntN(100) == 0 {
			seq++
			messages = append(messages, Message{Sequence: seq, Tick: t})
		}
	}
	last := messages[len(messages)-1].Sequence
	return append(messages, Message{Sequence: last + 1, Mark: clock.Add(time.Minute)}, Message{Sequence: last + 2, Mark: clock.Add(2 * time.Minute)})
}
