// Package tick is the codec of AppV2's ticks, in both shapes that it sends:
// the market_tick of its main channel and the raw one with aggregates and
// quotes. Decoding is the hot path of the product and allocates nothing for a
// tick that it accepts; what it does not accept comes back as a [Refusal] with
// a [Reason].
package tick

import (
	"bytes"
	"time"
)

// Kind is what a tick reports, from AppV2's event_type.
type Kind uint8

// The kinds of tick.
const (
	Unspecified Kind = iota // no event_type, or one that is not known
	Trade                   // "T"
	Aggregate               // "A": one second of trades, stamped with its end
	Quote                   // "Q": the price is a midpoint and makes no bar
)

// String is the kind as a word.
func (k Kind) String() string {
	switch k {
	case Trade:
		return "trade"
	case Aggregate:
		return "aggregate"
	case Quote:
		return "quote"
	default:
		return "unspecified"
	}
}

// Fields is a set of a tick's optional numbers.
type Fields uint8

// The optional numbers, under the names that AppV2 gives them.
const (
	FieldOpen   Fields = 1 << iota // tick_open
	FieldHigh                      // tick_high
	FieldLow                       // tick_low
	FieldClose                     // tick_close
	FieldVolume                    // tick_volume
	FieldVWAP                      // tick_vwap
	FieldBid                       // bid
	FieldAsk                       // ask

	FieldsOHLC = FieldOpen | FieldHigh | FieldLow | FieldClose
)

// Tick is one accepted tick.
//
// Symbol and Source alias the payload that they were decoded from, unless it
// wrote them with JSON escapes, so they live no longer than it; [Tick.Clone]
// detaches them.
type Tick struct {
	Symbol    []byte  // printable UTF-8, as sent: neither trimmed nor upper-cased
	Source    []byte  // who made it, for example polygon; empty if not said
	Price     Decimal // dollars, above 0
	Volume    Decimal // shares, 0 if not said
	UnixNanos int64   // event time

	// The second that an aggregate stands for, in dollars and shares. Present
	// says which were sent; the others are 0. Nothing is said of their order: a
	// synthetic aggregate can open above its high.
	Open, High, Low, Close, VWAP, AggregateVolume Decimal

	// Bid and Ask are in dollars, under Present as well.
	Bid, Ask Decimal

	Present Fields
	Kind    Kind
}

// Time is the event time in UTC.
func (t *Tick) Time() time.Time { return time.Unix(0, t.UnixNanos).UTC() }

// Has tells whether all of fields were sent.
func (t *Tick) Has(fields Fields) bool { return t.Present&fields == fields }

// HasAggregate tells whether the tick carries its own open, high, low and close.
func (t *Tick) HasAggregate() bool { return t.Has(FieldsOHLC) }

// Clone is a copy of t that does not alias the payload.
func (t *Tick) Clone() Tick {
	clone := *t
	clone.Symbol = bytes.Clone(t.Symbol)
	clone.Source = bytes.Clone(t.Source)
	return clone
}
