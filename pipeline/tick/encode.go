package tick

import (
	"time"
	"unicode/utf8"
)

// fieldNames are the keys of [Fields], in the order of their bits.
var fieldNames = [...]string{
	"tick_open", "tick_high", "tick_low", "tick_close", "tick_volume", "tick_vwap", "bid", "ask",
}

// AppendJSON appends the tick as AppV2's market_tick: type, symbol, price,
// volume, timestamp in seconds with their decimals, and source if there is
// one. This shape has no place for a kind or optional numbers: a quote read
// back from it looks like a trade.
func (t *Tick) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"type":"market_tick","symbol":`...)
	dst = t.appendCommon(dst)
	return append(dst, '}')
}

// AppendRawJSON appends the tick in the shape of AppV2's raw channel, with its
// kind and all optional numbers, null where there is none.
func (t *Tick) AppendRawJSON(dst []byte) []byte {
	dst = append(dst, `{"ticker":`...)
	dst = t.appendCommon(dst)
	switch t.Kind {
	case Trade:
		dst = append(dst, `,"event_type":"T"`...)
	case Aggregate:
		dst = append(dst, `,"event_type":"A"`...)
	case Quote:
		dst = append(dst, `,"event_type":"Q"`...)
	}
	values := [...]Decimal{t.Open, t.High, t.Low, t.Close, t.AggregateVolume, t.VWAP, t.Bid, t.Ask}
	for i, value := range values {
		dst = append(dst, ',', '"')
		dst = append(dst, fieldNames[i]...)
		dst = append(dst, '"', ':')
		if t.Has(1 << i) {
			dst = value.AppendTo(dst)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, '}')
}

func (t *Tick) appendCommon(dst []byte) []byte {
	dst = appendString(dst, t.Symbol)
	dst = append(dst, `,"price":`...)
	dst = t.Price.AppendTo(dst)
	dst = append(dst, `,"volume":`...)
	dst = t.Volume.AppendTo(dst)
	dst = append(dst, `,"timestamp":`...)
	dst = Decimal(t.UnixNanos).AppendTo(dst) // both count in 1e-9
	if t.UnixNanos%int64(time.Second) == 0 {
		dst = append(dst, ".0"...) // a float, as Python writes it
	}
	if len(t.Source) > 0 {
		dst = append(dst, `,"source":`...)
		dst = appendString(dst, t.Source)
	}
	return dst
}

// appendString appends text as a JSON string; bytes that are not UTF-8 become
// U+FFFD.
func appendString(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRune(text[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return append(dst, '"')
}
