package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/bar"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// history is the last revision of each bar of a partition in BARS.
type history map[ledgerKey]event.Bar

// before are the bars that begin before t, each series in order.
func (h history) before(t time.Time) []event.Bar {
	var bars []event.Bar
	for _, b := range h {
		if b.Start.Before(t) {
			bars = append(bars, b)
		}
	}
	slices.SortFunc(bars, func(a, b event.Bar) int {
		return cmp.Or(cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Timeframe, b.Timeframe), a.Start.Compare(b.Start.Time))
	})
	return bars
}

// newest is when the last bar ends.
func (h history) newest() time.Time {
	var newest time.Time
	for _, b := range h {
		if b.End.After(newest) {
			newest = b.End.Time
		}
	}
	return newest
}

// wholeFrom is the time from which each minute's ticks are all at or after a
// sequence.
func (h history) wholeFrom(sequence uint64) time.Time {
	var from time.Time
	for _, b := range h {
		if b.Timeframe == bar.Minute.String() && b.FirstSequence < sequence && b.End.After(from) {
			from = b.End.Time
		}
	}
	return from
}

// firstSequence of the ticks of the minutes from t on; 0 where there are none.
func (h history) firstSequence(t time.Time) uint64 {
	var first uint64
	for _, b := range h {
		if b.Timeframe == bar.Minute.String() && !b.Start.Before(t) && (first == 0 || b.FirstSequence < first) {
			first = b.FirstSequence
		}
	}
	return first
}

func (t *tenure) readBars(ctx context.Context) (history, error) {
	h := history{}
	_, err := t.read(ctx, stream.Bars, time.Time{}, stream.AllBars, func(data []byte) {
		var b event.Bar
		if json.Unmarshal(data, &b) != nil || !t.mine(b.Symbol) {
			return
		}
		key := ledgerKey{kind: kindBar, symbol: b.Symbol, timeframe: b.Timeframe, start: b.Start.Unix()}
		if old, ok := h[key]; !ok || b.Revision >= old.Revision {
			h[key] = b
		}
	})
	return h, err
}

// readPublished puts what is published of the bars from the time from on into
// the ledger. It returns when the oldest message of the stream was stored.
func (t *tenure) readPublished(ctx context.Context, name string, from time.Time, l *ledger) (oldest time.Time, err error) {
	if !from.IsZero() {
		from = from.Add(-storedAhead)
	}
	filter := stream.AllBars
	if name == stream.Signals {
		filter = stream.AllSignals
	}
	return t.read(ctx, name, from, filter, func(data []byte) {
		if h, ok := headOf(data); ok && t.mine(h.key.symbol) {
			l.published(data)
		}
	})
}

// mine tells whether a symbol is of this partition.
func (t *tenure) mine(symbol string) bool {
	return stream.PartitionOf(symbol, t.partitions) == t.partition
}

// read gives each what a stream holds, as of now, from a time of storage on. It
// returns when the oldest message of the stream was stored; zero where nothing
// has left it.
func (t *tenure) read(ctx context.Context, name string, from time.Time, filter string, each func([]byte)) (oldest time.Time, err error) {
	s, err := t.js.Stream(ctx, name)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up stream %s: %w", name, err)
	}
	if state := s.CachedInfo().State; state.FirstSeq > 1 {
		oldest = state.FirstTime
	}
	cfg := jetstream.OrderedConsumerConfig{NamePrefix: stream.ReaderName("history"), FilterSubjects: []string{filter}, DeliverPolicy: jetstream.DeliverAllPolicy}
	if !from.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &from
	}
	// The leader says where the end is: the consumer may be at a replica that is
	// behind.
	end, err := stream.AtLeader(ctx, t.js, name, stream.Place{Last: filter})
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && end.Time.Before(from) {
		return oldest, nil
	}
	if err != nil {
		return oldest, fmt.Errorf("read %s: %w", name, err)
	}
	consumer, err := s.OrderedConsumer(ctx, cfg)
	if err != nil {
		return oldest, fmt.Errorf("read %s: %w", name, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return oldest, fmt.Errorf("read %s: %w", name, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return oldest, fmt.Errorf("read %s: %w", name, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return oldest, fmt.Errorf("read %s: %w", name, err)
		}
		each(msg.Data())
		if meta.Sequence.Stream >= end.Sequence {
			return oldest, nil
		}
	}
}
