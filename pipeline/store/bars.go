package store

import (
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

var barFields = []field[event.Bar]{
	key(text, func(b *event.Bar) any { return orNull(b.Symbol) }, "symbol"),
	key(moment, func(b *event.Bar) any { return instant(b.Start) }, "timestamp", "date"),
	needed(number, func(b *event.Bar) any { return decimal(b.Open) }, "open"),
	needed(number, func(b *event.Bar) any { return decimal(b.High) }, "high"),
	needed(number, func(b *event.Bar) any { return decimal(b.Low) }, "low"),
	needed(number, func(b *event.Bar) any { return decimal(b.Close) }, "close"),
	needed(quantity, func(b *event.Bar) any { return b.Volume }, "volume"),
	optional(number, vwap, "vwap"),
	optional(integer, func(b *event.Bar) any { return b.TickCount }, "tick_count"),
	optional(text, func(b *event.Bar) any { return orNull(b.SessionID) }, "session_id"),
	optional(integer, func(b *event.Bar) any { return int64(b.Revision) }, revisionColumn),
	optional(text, func(b *event.Bar) any { return b.Timeframe }, "timeframe"),
	// A tick can be an aggregate of many transactions, so they are not counted.
	reluctant(integer, func(b *event.Bar) any { return b.TickCount }, "transactions"),
	reluctant(text, barID, "id"),
	stamps[event.Bar](),
}

func vwap(b *event.Bar) any {
	if b.VWAP == nil {
		return nil
	}
	return decimal(*b.VWAP)
}

func barID(b *event.Bar) any {
	return event.SignalID("bar", "", b.Symbol, b.Timeframe, b.Start.Time).String()
}

// barTable stores the bars of one timeframe. Prices of a table that we make are
// numeric without bounds: a bar's nine decimals are kept. Its dates are zone's.
func barTable(timeframe string, names []string, zone *time.Location) table {
	return table{
		consumer: BarsConsumer(timeframe),
		stream:   stream.Bars,
		filter:   "tickstock.bars." + timeframe + ".*",
		names:    names,
		zone:     zone,
		columns:  columnsOf(barFields),
		decode: decode(barFields, func(b *event.Bar) (identity, error) {
			if err := expectType(b.Type, "bar"); err != nil {
				return identity{}, err
			}
			if b.Timeframe != timeframe {
				return identity{}, fmt.Errorf("read the event: its timeframe is %.40q, want %q", b.Timeframe, timeframe)
			}
			return identity{symbol: b.Symbol, sessionID: b.SessionID, revision: b.Revision}, nil
		}),
		ddl: `symbol varchar NOT NULL,
	"timestamp" timestamptz NOT NULL,
	open numeric NOT NULL,
	high numeric NOT NULL,
	low numeric NOT NULL,
	close numeric NOT NULL,
	volume bigint NOT NULL,
	vwap numeric,
	tick_count bigint,
	session_id uuid,
	revision bigint NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (symbol, "timestamp")`,
		hyper: "timestamp",
	}
}
