package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	candlesShown = 120
	readAtOnce   = 1000
	// farthestBack is what BARS keeps by default.
	farthestBack = 30 * 24 * time.Hour
)

// spans are the timeframes that the page offers, and about how long a bar is.
var spans = map[string]time.Duration{
	"1min": time.Minute, "5min": 5 * time.Minute, "15min": 15 * time.Minute, "60min": time.Hour, "daily": 24 * time.Hour,
}

// candles is the chart of one symbol.
type candles struct {
	Symbol    string    `json:"symbol"`
	Timeframe string    `json:"timeframe"`
	Bars      []candle  `json:"bars"`     // the last ones, oldest first
	Patterns  []pattern `json:"patterns"` // on these bars
}

type candle struct {
	At       int64   `json:"at"` // its start, Unix milliseconds
	Open     float64 `json:"o"`
	High     float64 `json:"h"`
	Low      float64 `json:"l"`
	Close    float64 `json:"c"`
	Volume   float64 `json:"v"`
	Revision uint32  `json:"revision"`
}

type pattern struct {
	At         int64   `json:"at"` // the start of its bar
	Name       string  `json:"name"`
	Confidence float64 `json:"confidence"`
	Direction  string  `json:"direction"`
	revision   uint32
	withdrawn  bool
}

// candles reads the last bars of a symbol and their patterns out of JetStream.
func (d *Dashboard) candles(ctx context.Context, symbol, timeframe string) (candles, error) {
	v := candles{Symbol: symbol, Timeframe: timeframe, Bars: []candle{}, Patterns: []pattern{}}
	bars := map[int64]candle{}
	// A stream is read forwards only: a window that is wide enough is looked for,
	// over nights and weekends.
	for window := candlesShown * spans[timeframe]; len(bars) < candlesShown; window *= 4 {
		err := d.each(ctx, stream.Bars, stream.BarSubject(timeframe, symbol), time.Now().Add(-window), func(data []byte) {
			var b event.Bar
			if json.Unmarshal(data, &b) != nil {
				return // of a foreign hand
			}
			at := b.Start.UnixMilli()
			if before, known := bars[at]; !known || b.Revision >= before.Revision {
				bars[at] = candle{at, b.Open.Float64(), b.High.Float64(), b.Low.Float64(), b.Close.Float64(), b.Volume.Float64(), b.Revision}
			}
		})
		if err != nil {
			return v, err
		}
		if window >= farthestBack {
			break
		}
	}
	starts := slices.Sorted(maps.Keys(bars))
	for _, at := range starts[max(0, len(starts)-candlesShown):] {
		v.Bars = append(v.Bars, bars[at])
	}
	if len(v.Bars) == 0 {
		return v, nil
	}
	patterns, err := d.patterns(ctx, symbol, timeframe, v.Bars[0].At)
	v.Patterns = append(v.Patterns, patterns...)
	return v, err
}

// patterns are those that stand on bars from a start on.
func (d *Dashboard) patterns(ctx context.Context, symbol, timeframe string, from int64) ([]pattern, error) {
	type key struct {
		at   int64
		name string
	}
	last := map[key]pattern{}
	err := d.each(ctx, stream.Signals, stream.SignalsOfSymbol(event.KindPattern, symbol), time.UnixMilli(from), func(data []byte) {
		var p event.Pattern
		if json.Unmarshal(data, &p) != nil || p.Timeframe != timeframe || p.Start.UnixMilli() < from {
			return
		}
		k := key{p.Start.UnixMilli(), p.Pattern}
		if before, known := last[k]; !known || p.Revision >= before.revision {
			last[k] = pattern{k.at, p.Pattern, p.Confidence, p.Direction, p.Revision, p.Withdrawn}
		}
	})
	var standing []pattern
	for _, p := range last {
		if !p.withdrawn {
			standing = append(standing, p)
		}
	}
	slices.SortFunc(standing, func(a, b pattern) int { return int(a.At - b.At) })
	return standing, err
}

// each reads all messages of a subject that were stored since a time.
func (d *Dashboard) each(ctx context.Context, name, subject string, since time.Time, take func(data []byte)) error {
	if !d.deps.JetStream.Conn().IsConnected() {
		return stream.ErrNotConnected
	}
	from := jetstreamext.GetBatchStartTime(since)
	for {
		msgs, err := stream.Read(ctx, d.deps.JetStream, name, readAtOnce, from, jetstreamext.GetBatchSubject(subject))
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for %s: %w", subject, err)
		}
		for _, m := range msgs {
			take(m.Data)
		}
		if len(msgs) < readAtOnce {
			return nil
		}
		from = jetstreamext.GetBatchSeq(msgs[len(msgs)-1].Sequence + 1)
	}
}
