package tick_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tickstock/tickstream/pipeline/tick"
)

// judge says what Decode under default limits has to make of a payload:
// encoding/json reads it and math/big computes, so it shares nothing with the
// decoder. The reason is empty for a tick.
func judge(payload []byte, now time.Time) (tick.Tick, tick.Reason) {
	if len(payload) > 64<<10 {
		return tick.Tick{}, tick.PayloadTooLarge
	}
	strict, notFinite := withoutNotFinite(payload)
	if !json.Valid(strict) || !utf8.Valid(strict) || depth(strict) > 64 {
		return tick.Tick{}, tick.NotJSON
	}
	var members map[string]json.RawMessage
	if bytes.TrimLeft(strict, " \t\r\n")[0] != '{' {
		return tick.Tick{}, tick.NotObject
	}
	if err := json.Unmarshal(strict, &members); err != nil {
		panic(err) // it is valid, and an object
	}
	var got tick.Tick
	for _, judge := range []func() tick.Reason{
		func() tick.Reason { return judgeSymbol(members, &got) },
		func() tick.Reason {
			if notFinite {
				return tick.PriceNotFinite
			}
			return judgePrice(members["price"], &got)
		},
		func() tick.Reason { return judgeVolume(members["volume"], &got) },
		func() tick.Reason { return judgeTimestamp(members["timestamp"], now, &got) },
		func() tick.Reason { return judgeOptional(members, &got) },
	} {
		if reason := judge(); reason != "" {
			return tick.Tick{}, reason
		}
	}
	if source, ok := text(members["source"]); ok {
		got.Source = []byte(source)
	}
	kind, _ := text(members["event_type"])
	got.Kind = map[string]tick.Kind{"T": tick.Trade, "A": tick.Aggregate, "Q": tick.Quote}[kind]
	return got, ""
}

// notFiniteMember is a top-level price that is not finite; withoutNotFinite
// makes sure that it is top-level and no part of a string.
var notFiniteMember = regexp.MustCompile(`^("(?:[^"\\]|\\.)*")([ \t\r\n]*:[ \t\r\n]*)(NaN|-?Infinity)`)

func withoutNotFinite(payload []byte) (strict []byte, found bool) {
	level, quoted, keyNext := 0, false, false
	for i := 0; i < len(payload); i++ {
		c := payload[i]
		if quoted {
			quoted = c != '"'
			if c == '\\' && i+1 < len(payload) {
				i++
				strict = append(strict, c)
				c = payload[i]
			}
			strict = append(strict, c)
			continue
		}
		switch c {
		case '{', '[':
			level++
			keyNext = c == '{'
		case '}', ']':
			level--
		case ',':
			keyNext = true
		case '"':
			m := notFiniteMember.FindSubmatch(payload[i:])
			var key string
			if level == 1 && keyNext && m != nil && json.Unmarshal(m[1], &key) == nil && key == "price" {
				found = true
				strict = append(append(append(strict, m[1]...), m[2]...), "1.5"...)
				i += len(m[0]) - 1
				continue
			}
			quoted, keyNext = true, false
		}
		strict = append(strict, c)
	}
	return strict, found
}

// depth is the nesting of valid JSON.
func depth(payload []byte) (deepest int) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	level := 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			level++
			deepest = max(deepest, level)
		case json.Delim('}'), json.Delim(']'):
			level--
		}
	}
}

func isNull(raw json.RawMessage) bool    { return raw == nil || string(raw) == "null" }
func isNumeric(raw json.RawMessage) bool { return raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' }

func text(raw json.RawMessage) (string, bool) {
	if raw == nil || raw[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(raw, &s) == nil
}

func judgeSymbol(members map[string]json.RawMessage, got *tick.Tick) tick.Reason {
	raw := members["symbol"]
	if isNull(raw) {
		raw = members["ticker"]
	}
	if isNull(raw) {
		return tick.SymbolMissing
	}
	symbol, ok := text(raw)
	switch {
	case !ok:
		return tick.SymbolNotString
	case len(symbol) > 64:
		return tick.SymbolTooLong
	case strings.Trim(symbol, " ") == "":
		return tick.SymbolMissing
	case strings.ContainsFunc(symbol, func(r rune) bool { return !unicode.IsPrint(r) || r == '\ufffd' }):
		return tick.SymbolUnprintable
	}
	got.Symbol = []byte(symbol)
	return ""
}

func judgePrice(raw json.RawMessage, got *tick.Tick) tick.Reason {
	if isNull(raw) {
		return tick.PriceMissing
	}
	if !isNumeric(raw) {
		return tick.PriceNotNumber
	}
	exact := rational(string(raw))
	units, fits := times(exact, 9)
	switch {
	case exact.Sign() <= 0:
		return tick.PriceNotPositive
	case !fits, units == 0:
		return tick.PriceOutOfRange
	}
	got.Price = tick.Decimal(units)
	return ""
}

func judgeVolume(raw json.RawMessage, got *tick.Tick) tick.Reason {
	if isNull(raw) {
		return ""
	}
	if !isNumeric(raw) {
		return tick.VolumeNotNumber
	}
	exact := rational(string(raw))
	units, fits := times(exact, 9)
	switch {
	case exact.Sign() < 0:
		return tick.VolumeNegative
	case !fits:
		return tick.VolumeOutOfRange
	}
	got.Volume = tick.Decimal(units)
	return ""
}

var (
	numeral = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	iso     = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(?:([Zz])|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)?$`)
)

func judgeTimestamp(raw json.RawMessage, now time.Time, got *tick.Tick) tick.Reason {
	if isNull(raw) {
		return tick.TimestampMissing
	}
	literal := string(raw)
	if s, ok := text(raw); ok {
		literal = s
	}
	var nanos int64
	fits := false
	if numeral.MatchString(literal) {
		exact := rational(literal)
		var places int64
		for _, unit := range []struct {
			below  int64
			places int64
		}{{1e11, 9}, {1e14, 6}, {1e17, 3}} {
			if exact.Cmp(new(big.Rat).SetInt64(unit.below)) < 0 {
				places = unit.places
				break
			}
		}
		nanos, fits = times(exact, places)
	} else {
		m := iso.FindStringSubmatch(literal)
		if m == nil {
			return tick.TimestampUnreadable
		}
		zone := "Z"
		if m[5] != "" {
			zone = m[5] + m[6] + ":" + (m[7] + "00")[:2]
		}
		whole, err := time.Parse(time.RFC3339, m[1]+"T"+m[2]+zone)
		if err != nil {
			return tick.TimestampUnreadable
		}
		fraction, _ := times(rational("0"+m[3]), 9)
		if year := whole.UTC().Year(); year > 1900 && whole.Unix() < math.MaxInt64/int64(time.Second) {
			nanos, fits = whole.UnixNano()+fraction, true
		}
	}
	switch {
	case !fits || nanos < time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano():
		return tick.TimestampAbsurd
	case nanos > now.Add(time.Minute).UnixNano():
		return tick.TimestampFuture
	}
	got.UnixNanos = nanos
	return ""
}

func judgeOptional(members map[string]json.RawMessage, got *tick.Tick) tick.Reason {
	var reason tick.Reason
	for _, field := range []struct {
		key   string
		field tick.Fields
		value *tick.Decimal
	}{
		{"bid", tick.FieldBid, &got.Bid}, {"ask", tick.FieldAsk, &got.Ask}, // before the others, whose reason wins
		{"tick_open", tick.FieldOpen, &got.Open}, {"tick_high", tick.FieldHigh, &got.High},
		{"tick_low", tick.FieldLow, &got.Low}, {"tick_close", tick.FieldClose, &got.Close},
		{"tick_volume", tick.FieldVolume, &got.AggregateVolume}, {"tick_vwap", tick.FieldVWAP, &got.VWAP},
	} {
		raw := members[field.key]
		if isNull(raw) {
			continue
		}
		bad := tick.AggregateInvalid
		if !strings.HasPrefix(field.key, "tick_") {
			bad = tick.QuoteInvalid
		}
		if !isNumeric(raw) {
			reason = bad
			continue
		}
		exact := rational(string(raw))
		units, fits := times(exact, 9)
		isVolume := field.field == tick.FieldVolume
		switch {
		case exact.Sign() < 0, !fits, units == 0 && exact.Sign() > 0 && !isVolume:
			reason = bad
		case units != 0 || isVolume:
			*field.value = tick.Decimal(units)
			got.Present |= field.field
		}
	}
	return reason
}
