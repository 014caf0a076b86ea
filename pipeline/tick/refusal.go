package tick

import (
	"fmt"
	"strings"
	"time"
)

// Reason is why a payload was refused, one word of a-z and underscore: the
// last token of a subject in the REJECTS stream and a label of metrics.
type Reason string

// The reasons. Where several apply, a payload that is no JSON object says only
// that, and otherwise the first fault in the order of this list is given.
const (
	// PayloadTooLarge: longer than [Limits].MaxPayloadBytes.
	PayloadTooLarge Reason = "payload_too_large"
	// NotJSON: not one strict JSON value in valid UTF-8 and nothing after it,
	// or nested deeper than 64. A bare NaN or Infinity, which Python writes, is
	// not JSON either; as the price it is PriceNotFinite.
	NotJSON Reason = "not_json"
	// NotObject: JSON, but no object.
	NotObject Reason = "not_object"

	// SymbolMissing: neither symbol nor ticker, or blank.
	SymbolMissing Reason = "symbol_missing"
	// SymbolNotString: a number, a list and the like.
	SymbolNotString Reason = "symbol_not_string"
	// SymbolTooLong: longer than [Limits].MaxSymbolBytes.
	SymbolTooLong Reason = "symbol_too_long"
	// SymbolUnprintable: a character in it is not printable (a space is).
	SymbolUnprintable Reason = "symbol_unprintable"

	// PriceNotFinite: a bare NaN, Infinity or -Infinity.
	PriceNotFinite Reason = "price_not_finite"
	// PriceMissing: absent or null.
	PriceMissing Reason = "price_missing"
	// PriceNotNumber: a string (even of a number), a list and the like.
	PriceNotNumber Reason = "price_not_number"
	// PriceNotPositive: zero or below.
	PriceNotPositive Reason = "price_not_positive"
	// PriceOutOfRange: above [MaxDecimal], or so small that nine decimals make
	// it zero.
	PriceOutOfRange Reason = "price_out_of_range"

	// VolumeNotNumber: neither a number nor null.
	VolumeNotNumber Reason = "volume_not_number"
	// VolumeNegative: below zero.
	VolumeNegative Reason = "volume_negative"
	// VolumeOutOfRange: above [MaxDecimal].
	VolumeOutOfRange Reason = "volume_out_of_range"

	// TimestampMissing: absent or null.
	TimestampMissing Reason = "timestamp_missing"
	// TimestampUnreadable: neither a number nor a string that holds a number
	// or an ISO 8601 date and time.
	TimestampUnreadable Reason = "timestamp_unreadable"
	// TimestampAbsurd: zero, negative, before [Limits].Earliest, or past what
	// 64 bits of nanoseconds hold (the year 2262).
	TimestampAbsurd Reason = "timestamp_absurd"
	// TimestampFuture: further ahead of the clock than [Limits].MaxFuture.
	TimestampFuture Reason = "timestamp_future"

	// AggregateInvalid: a tick_… field is neither null nor a number, or it is
	// negative or out of range.
	AggregateInvalid Reason = "aggregate_invalid"
	// QuoteInvalid: the same of bid or ask.
	QuoteInvalid Reason = "quote_invalid"
)

// Reasons lists every reason, in the order in which they are checked.
func Reasons() []Reason {
	return []Reason{
		PayloadTooLarge, NotJSON, NotObject,
		SymbolMissing, SymbolNotString, SymbolTooLong, SymbolUnprintable,
		PriceNotFinite, PriceMissing, PriceNotNumber, PriceNotPositive, PriceOutOfRange,
		VolumeNotNumber, VolumeNegative, VolumeOutOfRange,
		TimestampMissing, TimestampUnreadable, TimestampAbsurd, TimestampFuture,
		AggregateInvalid, QuoteInvalid,
	}
}

// Refusal is the error of [Decoder.Decode]: why a payload is not a tick.
type Refusal struct {
	Reason Reason
	Detail string // one short line of printable text that names the value at fault
}

// Error is the reason and the detail.
func (r *Refusal) Error() string { return "tick refused, " + string(r.Reason) + ": " + r.Detail }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// refuseValue judges a payload that does not begin as an object, at p[start].
func refuseValue(p []byte, start int) *Refusal {
	at, ok := skipValue(p, start, 0)
	if ok {
		at = skipSpace(p, at)
	}
	if !ok || at < len(p) {
		return refuseSyntax(p, at)
	}
	return refuse(NotObject, "payload is %.40q", p[start:])
}

func refuseSyntax(p []byte, at int) *Refusal {
	if at >= len(p) {
		return refuse(NotJSON, "ends too early, after %d bytes", len(p))
	}
	if (p[at] == '{' || p[at] == '[') && openBrackets(p[:at]) == maxDepth {
		return refuse(NotJSON, "nested deeper than %d, from byte %d on", maxDepth, at)
	}
	// Quoted as a byte: it may be half of a character.
	return refuse(NotJSON, "byte %d, %q, is not allowed there", at, p[at:at+1])
}

// openBrackets counts the objects and lists that are open at the end of p, the
// beginning of valid JSON.
func openBrackets(p []byte) int {
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '"':
			end, _, ok := scanString(p, i)
			if !ok {
				return depth
			}
			i = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	return depth
}

// refuseAbsurd judges a timestamp that is outside of what can be, on the side
// that the text, a number or ISO 8601, is on.
func refuseAbsurd(literal, text []byte, earliest time.Time) *Refusal {
	late := len(text) > 4 && string(text[:4]) > "2200"
	if n, end, ok := scanNumber(text, 0); ok && end == len(text) {
		late = !n.negative && n.mantissa != 0
	}
	if late {
		return refuse(TimestampAbsurd, "timestamp is %.40s, latest is %s", literal, time.Unix(lastSecond, 0).UTC().Format(time.RFC3339))
	}
	return refuse(TimestampAbsurd, "timestamp is %.40s, earliest is %s", literal, earliest.UTC().Format(time.RFC3339))
}

func refusePrice(p []byte, o *object) *Refusal {
	literal := o.price.literal(p)
	switch {
	case o.notFinite:
		return refuse(PriceNotFinite, "price is NaN or infinite")
	case o.price.state == isAbsent:
		return refuse(PriceMissing, "price is absent or null")
	case o.price.state == isOther:
		return refuse(PriceNotNumber, "price is %.40q", literal)
	case o.price.state == isTooSmall, o.price.state == isOutOfRange:
		return refuse(PriceOutOfRange, "price is %.40s, from 0.000000001 to %v", literal, MaxDecimal)
	}
	return refuse(PriceNotPositive, "price is %.40s", literal)
}

func refuseVolume(p []byte, o *object) *Refusal {
	literal := o.volume.literal(p)
	switch o.volume.state {
	case isNegative:
		return refuse(VolumeNegative, "volume is %.40s", literal)
	case isOutOfRange:
		return refuse(VolumeOutOfRange, "volume is %.40s, at most %v", literal, MaxDecimal)
	}
	return refuse(VolumeNotNumber, "volume is %.40q", literal)
}

func refuseOptional(invalid Fields) *Refusal {
	reason := AggregateInvalid
	if invalid&^(FieldBid|FieldAsk) == 0 {
		reason = QuoteInvalid
	}
	var names []string
	for i, name := range fieldNames {
		if invalid&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return refuse(reason, "not a number in range: %s", strings.Join(names, ", "))
}
