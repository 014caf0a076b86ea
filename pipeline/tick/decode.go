package tick

import (
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// Decoder decodes ticks. It holds no state between them and may be used by
// several goroutines at once.
type Decoder struct {
	limits   Limits
	earliest int64 // Unix nanoseconds
}

// NewDecoder makes a decoder. The error is that of [Limits.Validate].
func NewDecoder(limits Limits) (*Decoder, error) {
	if err := limits.Validate(); err != nil {
		return nil, fmt.Errorf("tick limits: %w", err)
	}
	limits = limits.withDefaults()
	return &Decoder{limits: limits, earliest: limits.Earliest.UnixNano()}, nil
}

// Decode reads one payload of either shape into t. The error is a [*Refusal],
// and t is then the zero tick. t aliases payload, see [Tick].
//
// now is the time of reception. Whoever decodes what is stored in TICKS gives
// the message's own timestamp, so that a replay decides as the first run did.
//
// The payload is one strict JSON object; keys are case-sensitive, of a
// duplicate the last one counts, and members that are not named here are
// skipped:
//
//   - symbol, or ticker where symbol is absent or null;
//   - price, a number;
//   - volume, a number; absent or null is 0;
//   - timestamp in seconds, milliseconds, microseconds or nanoseconds, as its
//     magnitude tells, as a number or a string of one; or an ISO 8601 date and
//     time, UTC where it names no zone;
//   - event_type and source, strings; of any other type they count as absent;
//   - tick_open, tick_high, tick_low, tick_close, tick_vwap, bid and ask, where
//     null and 0 count as absent, and tick_volume, where only null does.
func (d *Decoder) Decode(payload []byte, now time.Time, t *Tick) error {
	*t = Tick{}
	if len(payload) > d.limits.MaxPayloadBytes {
		return refuse(PayloadTooLarge, "%d bytes, at most %d", len(payload), d.limits.MaxPayloadBytes)
	}
	start := skipSpace(payload, 0)
	if start == len(payload) || payload[start] != '{' {
		return refuseValue(payload, start)
	}
	var o object
	if at, ok := o.scan(payload, start, t); !ok {
		*t = Tick{}
		return refuseSyntax(payload, at)
	}
	if refusal := d.accept(payload, now, &o, t); refusal != nil {
		*t = Tick{}
		return refusal
	}
	return nil
}

// accept checks what the scan found and completes t.
func (d *Decoder) accept(p []byte, now time.Time, o *object, t *Tick) *Refusal {
	if refusal := d.acceptSymbol(p, o, t); refusal != nil {
		return refusal
	}
	if o.notFinite || o.price.state != isNumber || t.Price == 0 {
		return refusePrice(p, o)
	}
	switch o.volume.state {
	case isAbsent, isNumber, isTooSmall: // a volume that rounds to zero is zero
	default:
		return refuseVolume(p, o)
	}
	if refusal := d.acceptTimestamp(p, now, o, t); refusal != nil {
		return refusal
	}
	if o.invalid != 0 {
		return refuseOptional(o.invalid)
	}

	t.Source = o.source.text(p)
	if o.kind.state == isText {
		switch string(o.kind.text(p)) {
		case "T":
			t.Kind = Trade
		case "A":
			t.Kind = Aggregate
		case "Q":
			t.Kind = Quote
		}
	}
	return nil
}

func (d *Decoder) acceptSymbol(p []byte, o *object, t *Tick) *Refusal {
	m := &o.symbol
	if m.state == isAbsent {
		m = &o.ticker
	}
	switch m.state {
	case isAbsent:
		return refuse(SymbolMissing, "neither symbol nor ticker is there")
	case isOther:
		return refuse(SymbolNotString, "symbol is %.40q", m.literal(p))
	}
	symbol := m.text(p)
	if len(symbol) > d.limits.MaxSymbolBytes {
		return refuse(SymbolTooLong, "%d bytes, at most %d: %.40q…", len(symbol), d.limits.MaxSymbolBytes, symbol)
	}
	blank := true
	for _, c := range symbol {
		if c < ' ' || c >= 0x7f {
			return d.acceptUnicode(symbol, t)
		}
		blank = blank && c == ' '
	}
	if blank {
		return refuse(SymbolMissing, "symbol is %q", symbol)
	}
	t.Symbol = symbol
	return nil
}

// acceptUnicode judges a symbol that is more than printable ASCII.
func (d *Decoder) acceptUnicode(symbol []byte, t *Tick) *Refusal {
	for rest := symbol; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		// U+FFFD stands for what was damaged on its way here.
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return refuse(SymbolUnprintable, "symbol is %.40q", symbol)
		}
		rest = rest[size:]
	}
	t.Symbol = symbol
	return nil
}

func (d *Decoder) acceptTimestamp(p []byte, now time.Time, o *object, t *Tick) *Refusal {
	m := &o.timestamp
	got, text := m.state, m.literal(p)
	if got == isText {
		text = m.text(p)
		t.UnixNanos, got = parseTimestamp(text)
	}
	switch {
	case got == isAbsent:
		return refuse(TimestampMissing, "timestamp is absent or null")
	case got == isOther:
		return refuse(TimestampUnreadable, "timestamp is %.40q", m.literal(p))
	case got == isOutOfRange:
		return refuseAbsurd(m.literal(p), text, d.limits.Earliest)
	case t.UnixNanos < d.earliest:
		return refuse(TimestampAbsurd, "timestamp is %.40s, earliest is %s", m.literal(p), d.limits.Earliest.UTC().Format(time.RFC3339))
	}
	if ahead := t.UnixNanos - now.UnixNano(); ahead > int64(d.limits.MaxFuture) {
		return refuse(TimestampFuture, "timestamp is %.40s, %v ahead of the clock, at most %v",
			m.literal(p), time.Duration(ahead).Round(time.Millisecond), d.limits.MaxFuture)
	}
	return nil
}
