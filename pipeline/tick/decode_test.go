package tick_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/tick"
)

func decode(t *testing.T, payload string) tick.Tick {
	t.Helper()
	var got tick.Tick
	if err := newDecoder(t).Decode([]byte(payload), clock, &got); err != nil {
		t.Fatalf("Decode(%s): %v", payload, err)
	}
	return got
}

func dec(t *testing.T, literal string) tick.Decimal {
	t.Helper()
	d, err := tick.ParseDecimal([]byte(literal))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecodeMarketTick(t *testing.T) {
	got := decode(t, marketTick)
	if string(got.Symbol) != "AAPL" || string(got.Source) != "polygon" || got.Kind != tick.Unspecified {
		t.Errorf("symbol %q, source %q, kind %v", got.Symbol, got.Source, got.Kind)
	}
	if got.Price != dec(t, "187.42") || got.Volume != dec(t, "100") {
		t.Errorf("price %v, volume %v", got.Price, got.Volume)
	}
	if want := time.Date(2024, 10, 7, 11, 20, 0, 123e6, time.UTC); got.Time() != want {
		t.Errorf("time %v, want %v", got.Time(), want)
	}
	if got.Present != 0 || got.HasAggregate() {
		t.Errorf("optional numbers %b in a market tick", got.Present)
	}
}

func TestDecodeRawTick(t *testing.T) {
	got := decode(t, rawTick)
	want := tick.Tick{
		Symbol: []byte("BRK.B"), Source: []byte("massive"), Kind: tick.Aggregate,
		Price: dec(t, "187.42"), Volume: dec(t, "1200.5"), UnixNanos: 1728300000e9,
		Open: dec(t, "187.4"), High: dec(t, "187.45"), Low: dec(t, "187.39"), Close: dec(t, "187.42"),
		AggregateVolume: dec(t, "1200"), VWAP: dec(t, "187.4188"),
		Present: tick.FieldsOHLC | tick.FieldVolume | tick.FieldVWAP,
	}
	if !equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if !got.HasAggregate() || got.Has(tick.FieldBid) {
		t.Errorf("present %b", got.Present)
	}
}

// with puts members behind those that a tick needs, so that they win.
func with(members string) string {
	return `{"symbol":"A","price":1.5,"timestamp":1728300000,` + members + `}`
}

func TestDecodeMembers(t *testing.T) {
	for _, tt := range []struct {
		name, payload string
		holds         func(*tick.Tick) bool
	}{
		{"symbol wins over ticker", with(`"ticker":"B"`), symbolIs("A")},
		{"symbol wins over a later bad ticker", with(`"ticker":7`), symbolIs("A")},
		{"ticker in place of a null symbol", with(`"symbol":null,"ticker":"B"`), symbolIs("B")},
		{"case is kept", with(`"symbol":"brk.b"`), symbolIs("brk.b")},
		{"not trimmed", with(`"symbol":" A B "`), symbolIs(" A B ")},
		{"option", with(`"symbol":"O:SPY251219C00650000"`), symbolIs("O:SPY251219C00650000")},
		{"escaped", with(`"symbol":"EUR\/USD\u002eX"`), symbolIs("EUR/USD.X")},
		{"beyond ASCII", with(`"symbol":"Zürich"`), symbolIs("Zürich")},
		{"surrogate pair", with(`"symbol":"\ud83d\udcc8"`), symbolIs("📈")},
		{"64 bytes", with(`"symbol":"` + strings.Repeat("S", 64) + `"`), symbolIs(strings.Repeat("S", 64))},

		{"integer price", with(`"price":187`), priceIs("187")},
		{"exponent", with(`"price":1.5E3`), priceIs("1500")},
		{"smallest price", with(`"price":1e-9`), priceIs("0.000000001")},
		{"binary float", with(`"price":187.42000000000002`), priceIs("187.42")},
		{"largest price", with(`"price":9223372036.854775807`), priceIs("9223372036.854775807")},
		{"last duplicate counts", with(`"price":2,"price":3`), priceIs("3")},
		{"bad duplicate before a good one", with(`"price":"x","price":-1,"price":3`), priceIs("3")},
		{"escaped key", with(`"\u0070rice":7`), priceIs("7")},
		{"keys are case-sensitive", with(`"Price":7,"PRICE":null`), priceIs("1.5")},
		{"long escaped key", with(`"` + strings.Repeat(`\u0070`, 50) + `":7`), priceIs("1.5")},
		{"key with an escaped quote", with(`"price\"":7`), priceIs("1.5")},

		{"no volume", with(`"x":0`), volumeIs("0")},
		{"null volume", with(`"volume":5,"volume":null`), volumeIs("0")},
		{"fractional volume", with(`"volume":12.5`), volumeIs("12.5")},
		{"negative zero", with(`"volume":-0.0`), volumeIs("0")},
		{"volume that rounds to zero", with(`"volume":1e-30`), volumeIs("0")},

		{"trade", with(`"event_type":"T"`), kindIs(tick.Trade)},
		{"aggregate", with(`"event_type":"A"`), kindIs(tick.Aggregate)},
		{"quote", with(`"event_type":"\u0051"`), kindIs(tick.Quote)},
		{"unknown kind", with(`"event_type":"AM"`), kindIs(tick.Unspecified)},
		{"kind of another type", with(`"event_type":{"T":1}`), kindIs(tick.Unspecified)},

		{"source of another type", with(`"source":7`), func(t *tick.Tick) bool { return t.Source == nil }},
		{"source", with(`"source":"line\nfeed"`), func(t *tick.Tick) bool { return string(t.Source) == "line\nfeed" }},
		{"all escapes", with(`"source":"\"\\\/\b\f\n\r\t\u00e9\udc00"`), func(t *tick.Tick) bool {
			return string(t.Source) == "\"\\/\b\f\n\r\té\ufffd"
		}},
		{"bid and ask", with(`"bid":1.49,"ask":1.51`), func(t *tick.Tick) bool {
			return t.Bid == 1_490_000_000 && t.Ask == 1_510_000_000 && t.Present == tick.FieldBid|tick.FieldAsk
		}},
		{"no bid", with(`"bid":0,"ask":null`), func(t *tick.Tick) bool { return t.Present == 0 && t.Bid == 0 }},
		{"open above high", with(`"tick_open":3,"tick_high":2,"tick_low":1,"tick_close":2`), (*tick.Tick).HasAggregate},
		{"aggregate without a close", with(`"tick_open":3,"tick_high":2,"tick_low":1`), func(t *tick.Tick) bool { return !t.HasAggregate() }},
		{"aggregate of nothing", with(`"tick_volume":0`), func(t *tick.Tick) bool { return t.Present == tick.FieldVolume }},
		{"optional number corrected by a duplicate", with(`"tick_low":"x","tick_low":2`), func(t *tick.Tick) bool { return t.Low == 2*tick.One }},
		{"optional number taken back", with(`"tick_low":2,"tick_low":null`), func(t *tick.Tick) bool { return t.Present == 0 && t.Low == 0 }},

		{"unknown members", with(`"type":"tick","a":[],"b":{},"c":[1,{"price":[true,false,null]}],"d":"\\\"","e":-0e+1`), priceIs("1.5")},
		{"white space", " \t\r\n{ \"symbol\" : \"A\" ,\n\"price\"\t: 1.5 , \"timestamp\" : 1728300000 } \r\n", priceIs("1.5")},
		{"deep but bounded", with(`"x":` + nested(63)), priceIs("1.5")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := decode(t, tt.payload); !tt.holds(&got) {
				t.Errorf("%s\ndecoded as %+v", tt.payload, got)
			}
		})
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func symbolIs(want string) func(*tick.Tick) bool {
	return func(t *tick.Tick) bool { return string(t.Symbol) == want }
}

func priceIs(want string) func(*tick.Tick) bool {
	return func(t *tick.Tick) bool { return t.Price.String() == want }
}

func volumeIs(want string) func(*tick.Tick) bool {
	return func(t *tick.Tick) bool { return t.Volume.String() == want }
}

func kindIs(want tick.Kind) func(*tick.Tick) bool {
	return func(t *tick.Tick) bool { return t.Kind == want }
}

var refusals = []struct {
	name, payload string
	want          tick.Reason
}{
	{"too large", with(`"x":"` + strings.Repeat("x", 64<<10) + `"`), tick.PayloadTooLarge},

	{"empty", "", tick.NotJSON},
	{"blank", " \n", tick.NotJSON},
	{"text", "AAPL 187.42", tick.NotJSON},
	{"cut short", marketTick[:40], tick.NotJSON},
	{"no closing brace", marketTick[:len(marketTick)-1], tick.NotJSON},
	{"trailing garbage", marketTick + "x", tick.NotJSON},
	{"two objects", marketTick + marketTick, tick.NotJSON},
	{"byte order mark", "\ufeff" + marketTick, tick.NotJSON},
	{"trailing comma", `{"symbol":"A",}`, tick.NotJSON},
	{"missing colon", `{"symbol" "A"}`, tick.NotJSON},
	{"missing comma", `{"symbol":"A" "price":1}`, tick.NotJSON},
	{"key not a string", `{symbol:"A"}`, tick.NotJSON},
	{"single quotes", `{'symbol':'A'}`, tick.NotJSON},
	{"Python's repr", `{"price": None}`, tick.NotJSON},
	{"leading zero", with(`"price":01`), tick.NotJSON},
	{"leading plus", with(`"price":+1`), tick.NotJSON},
	{"no digit after the point", with(`"price":1.`), tick.NotJSON},
	{"no digit before the point", with(`"price":.5`), tick.NotJSON},
	{"empty exponent", with(`"price":1e`), tick.NotJSON},
	{"signed empty exponent", with(`"price":1e+`), tick.NotJSON},
	{"hexadecimal", with(`"price":0x1F`), tick.NotJSON},
	{"lone minus", with(`"price":-`), tick.NotJSON},
	{"control character in a string", with("\"x\":\"a\tb\""), tick.NotJSON},
	{"control character in a long string", with("\"x\":\"0123456789abcdef\x00\""), tick.NotJSON},
	{"unknown escape", with(`"x":"\x41"`), tick.NotJSON},
	{"short escape", with(`"x":"\u12"`), tick.NotJSON},
	{"escape at the end", `{"x":"\`, tick.NotJSON},
	{"invalid UTF-8 in a skipped string", with("\"x\":\"\xff\""), tick.NotJSON},
	{"invalid UTF-8 in the symbol", with("\"symbol\":\"A\xc3\""), tick.NotJSON},
	{"UTF-8 surrogate", with("\"x\":\"\xed\xa0\x80\""), tick.NotJSON},
	{"misspelt literal", with(`"x":nul`), tick.NotJSON},
	{"literal with a tail", with(`"x":nullx`), tick.NotJSON},
	{"unclosed list", with(`"x":[1,2`), tick.NotJSON},
	{"comma in an empty list", with(`"x":[,]`), tick.NotJSON},
	{"bad key in a nested object", with(`"x":{1:2}`), tick.NotJSON},
	{"broken key in a nested object", with(`"x":{"a`), tick.NotJSON},
	{"no comma in a nested object", with(`"x":{"a":1 "b":2}`), tick.NotJSON},
	{"missing colon in a nested object", with(`"x":{"a" 1}`), tick.NotJSON},
	{"trailing comma in a nested object", with(`"x":{"a":1,}`), tick.NotJSON},
	{"nested too deep", with(`"x":` + nested(64)), tick.NotJSON},
	{"nested as if to overflow the stack", strings.Repeat("[", 60<<10), tick.NotJSON},
	{"objects nested too deep", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), tick.NotJSON},
	{"NaN in another member", with(`"x":NaN`), tick.NotJSON},
	{"NaN as volume", with(`"volume":NaN`), tick.NotJSON},
	{"NaN as timestamp", with(`"timestamp":NaN`), tick.NotJSON},
	{"NaN within the price", with(`"price":[NaN]`), tick.NotJSON},
	{"NaN price in a broken payload", with(`"price":NaN,`), tick.NotJSON},

	{"list", `[1, 2]`, tick.NotObject},
	{"string", `"AAPL"`, tick.NotObject},
	{"number", ` 187.42 `, tick.NotObject},
	{"null", `null`, tick.NotObject},

	{"empty object", `{}`, tick.SymbolMissing},
	{"no symbol", `{"price":1,"timestamp":1728300000}`, tick.SymbolMissing},
	{"null symbol", with(`"symbol":null`), tick.SymbolMissing},
	{"empty symbol", with(`"symbol":""`), tick.SymbolMissing},
	{"empty symbol hides the ticker", with(`"symbol":"","ticker":"A"`), tick.SymbolMissing},
	{"blank symbol", with(`"symbol":"   "`), tick.SymbolMissing},
	{"numeric symbol", with(`"symbol":42`), tick.SymbolNotString},
	{"numeric ticker", with(`"symbol":null,"ticker":42`), tick.SymbolNotString},
	{"symbol too long", with(`"symbol":"` + strings.Repeat("S", 65) + `"`), tick.SymbolTooLong},
	{"symbol too long in bytes", with(`"symbol":"` + strings.Repeat("é", 33) + `"`), tick.SymbolTooLong},
	{"control character in the symbol", with(`"symbol":"A\n"`), tick.SymbolUnprintable},
	{"DEL in the symbol", with("\"symbol\":\"A\x7f\""), tick.SymbolUnprintable},
	{"no-break space in the symbol", with(`"symbol":"A\u00a0"`), tick.SymbolUnprintable},
	{"zero-width character in the symbol", with(`"symbol":"A\u200b"`), tick.SymbolUnprintable},
	{"half a surrogate pair in the symbol", with(`"symbol":"A\ud800"`), tick.SymbolUnprintable},
	{"replacement character in the symbol", with(`"symbol":"A` + "\ufffd" + `"`), tick.SymbolUnprintable},

	{"no price", `{"symbol":"A","timestamp":1728300000}`, tick.PriceMissing},
	{"null price", with(`"price":null`), tick.PriceMissing},
	{"string price", with(`"price":"187.5"`), tick.PriceNotNumber},
	{"boolean price", with(`"price":true`), tick.PriceNotNumber},
	{"list price", with(`"price":[1]`), tick.PriceNotNumber},
	{"NaN price", with(`"price":NaN`), tick.PriceNotFinite},
	{"infinite price", with(`"price":Infinity`), tick.PriceNotFinite},
	{"negative infinite price", with(`"price": -Infinity `), tick.PriceNotFinite},
	{"NaN price before a good one", with(`"price":NaN,"price":1`), tick.PriceNotFinite},
	{"zero price", with(`"price":0`), tick.PriceNotPositive},
	{"zero price as a float", with(`"price":-0.0e5`), tick.PriceNotPositive},
	{"negative price", with(`"price":-187.42`), tick.PriceNotPositive},
	{"tiny negative price", with(`"price":-1e-30`), tick.PriceNotPositive},
	{"price too large", with(`"price":9223372036.854775808`), tick.PriceOutOfRange},
	{"price beyond a float", with(`"price":1e400`), tick.PriceOutOfRange},
	{"price too small", with(`"price":4e-10`), tick.PriceOutOfRange},

	{"string volume", with(`"volume":"100"`), tick.VolumeNotNumber},
	{"boolean volume", with(`"volume":false`), tick.VolumeNotNumber},
	{"negative volume", with(`"volume":-1`), tick.VolumeNegative},
	{"volume too large", with(`"volume":1e10`), tick.VolumeOutOfRange},

	{"no timestamp", `{"symbol":"A","price":1}`, tick.TimestampMissing},
	{"null timestamp", with(`"timestamp":null`), tick.TimestampMissing},
	{"boolean timestamp", with(`"timestamp":true`), tick.TimestampUnreadable},
	{"object timestamp", with(`"timestamp":{"s":1728300000}`), tick.TimestampUnreadable},
	{"empty timestamp", with(`"timestamp":""`), tick.TimestampUnreadable},
	{"text timestamp", with(`"timestamp":"yesterday"`), tick.TimestampUnreadable},
	{"zero timestamp", with(`"timestamp":0`), tick.TimestampAbsurd},
	{"negative timestamp", with(`"timestamp":-1728300000`), tick.TimestampAbsurd},
	{"timestamp before 2000", with(`"timestamp":946684799.999`), tick.TimestampAbsurd},
	{"timestamp beyond 2262", with(`"timestamp":9223372037`), tick.TimestampAbsurd},
	{"timestamp beyond everything", with(`"timestamp":1e300`), tick.TimestampAbsurd},
	{"timestamp in the future", with(`"timestamp":1728300061.001`), tick.TimestampFuture},
	{"milliseconds in the future", with(`"timestamp":1728300061001`), tick.TimestampFuture},

	{"string in an aggregate", with(`"tick_open":"1.5"`), tick.AggregateInvalid},
	{"negative low", with(`"tick_low":-1`), tick.AggregateInvalid},
	{"huge volume of an aggregate", with(`"tick_volume":1e10`), tick.AggregateInvalid},
	{"tiny high", with(`"tick_high":1e-10`), tick.AggregateInvalid},
	{"bad aggregate and bad quote", with(`"bid":[],"tick_vwap":{}`), tick.AggregateInvalid},
	{"boolean bid", with(`"bid":true`), tick.QuoteInvalid},
	{"negative ask", with(`"ask":-0.01`), tick.QuoteInvalid},
}

func TestDecodeRefuses(t *testing.T) {
	seen := map[tick.Reason]bool{}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			got := tick.Tick{Symbol: []byte("left over")}
			err := newDecoder(t).Decode([]byte(tt.payload), clock, &got)
			refusal, ok := errors.AsType[*tick.Refusal](err)
			if !ok || refusal.Reason != tt.want {
				t.Fatalf("%.200s\nerror %v, want reason %s", tt.payload, err, tt.want)
			}
			checkDetail(t, refusal)
			if !equal(got, tick.Tick{}) {
				t.Errorf("a refused tick is %+v, want zero", got)
			}
			seen[refusal.Reason] = true
		})
	}
	for _, reason := range tick.Reasons() {
		if !seen[reason] {
			t.Errorf("no payload was refused as %s", reason)
		}
	}
}

// checkDetail holds a detail to what a message header can carry.
func checkDetail(t *testing.T, refusal *tick.Refusal) {
	t.Helper()
	if refusal.Detail == "" || len(refusal.Detail) > 600 || strings.ContainsAny(refusal.Detail, "\r\n\x00") {
		t.Errorf("detail of %s is %q", refusal.Reason, refusal.Detail)
	}
}

func TestRefusalNamesTheFault(t *testing.T) {
	for payload, want := range map[string]string{
		`{"symbol":"A","price":NaN,"timestamp":x}`: `tick refused, not_json: byte 38, "x", is not allowed there`,
		`{"symbol":"A"`:                              `tick refused, not_json: ends too early, after 13 bytes`,
		strings.Repeat("[", 100):                     `tick refused, not_json: nested deeper than 64, from byte 64 on`,
		`{"a{[":` + strings.Repeat("[1,", 63) + `{}`: `tick refused, not_json: nested deeper than 64, from byte 196 on`,
		`{"a":1{}`:                                 `tick refused, not_json: byte 6, "{", is not allowed there`,
		with(`"timestamp":1e300`):                  `tick refused, timestamp_absurd: timestamp is 1e300, latest is 2262-04-11T23:47:15Z`,
		with(`"timestamp":"1e300"`):                `tick refused, timestamp_absurd: timestamp is 1e300, latest is 2262-04-11T23:47:15Z`,
		with(`"timestamp":"2600-01-01T00:00:00Z"`): `tick refused, timestamp_absurd: timestamp is 2600-01-01T00:00:00Z, latest is 2262-04-11T23:47:15Z`,
		with(`"timestamp":"1960-01-01T00:00:00Z"`): `tick refused, timestamp_absurd: timestamp is 1960-01-01T00:00:00Z, earliest is 2000-01-01T00:00:00Z`,
		with(`"timestamp":-5`):                     `tick refused, timestamp_absurd: timestamp is -5, earliest is 2000-01-01T00:00:00Z`,
		with(`"timestamp":0`):                      `tick refused, timestamp_absurd: timestamp is 0, earliest is 2000-01-01T00:00:00Z`,
		with(`"timestamp":86400`):                  `tick refused, timestamp_absurd: timestamp is 86400, earliest is 2000-01-01T00:00:00Z`,
		with(`"price":"187.5"`):                    `tick refused, price_not_number: price is "\"187.5\""`,
		with(`"volume":-3`):                        `tick refused, volume_negative: volume is -3`,
		with(`"timestamp":1728300071`):             `tick refused, timestamp_future: timestamp is 1728300071, 1m10s ahead of the clock, at most 1m0s`,
		with(`"tick_low":-1,"bid":"none"`):         `tick refused, aggregate_invalid: not a number in range: tick_low, bid`,
	} {
		var got tick.Tick
		if err := newDecoder(t).Decode([]byte(payload), clock, &got); err == nil || err.Error() != want {
			t.Errorf("%s\nerror %v\nwant  %s", payload, err, want)
		}
	}
}

func TestReasonsAreSubjectTokens(t *testing.T) {
	token := regexp.MustCompile(`^[a-z][a-z_]*[a-z]$`)
	reasons := tick.Reasons()
	for _, reason := range reasons {
		if !token.MatchString(string(reason)) {
			t.Errorf("reason %q is not a plain word", reason)
		}
	}
	slices.Sort(reasons)
	if len(slices.Compact(reasons)) != len(tick.Reasons()) {
		t.Error("a reason is listed twice")
	}
}

// Every byte at every place of a string, as the scanner takes eight at a time.
func TestDecodeStringBytes(t *testing.T) {
	for place := range 20 {
		for c := range 256 {
			value := []byte("0123456789abcdefghij")
			value[place] = byte(c)
			checkDecode(t, []byte(with(`"x":"`+string(value)+`","source":"`+string(value)+`"`)))
		}
	}
}

// A tick must not depend on whether bytes follow it in the caller's buffer,
// nor may an append to its symbol reach them.
func TestDecodeStaysInThePayload(t *testing.T) {
	for _, payload := range []string{marketTick, rawTick} {
		buffer := append([]byte(payload), `"}]0123456789`...)
		d := newDecoder(t)
		for end := range len(payload) {
			var got tick.Tick
			if err := d.Decode(buffer[:end], clock, &got); err == nil {
				t.Errorf("accepted %s", buffer[:end])
			}
		}
		var got tick.Tick
		if err := d.Decode(buffer[:len(payload)], clock, &got); err != nil {
			t.Fatal(err)
		}
		_ = append(got.Symbol, "overwritten"...)
		if !bytes.HasPrefix(buffer, []byte(payload)) {
			t.Error("an append to the symbol changed the payload")
		}
	}
}

func TestCloneDetaches(t *testing.T) {
	payload := []byte(marketTick)
	var got tick.Tick
	if err := newDecoder(t).Decode(payload, clock, &got); err != nil {
		t.Fatal(err)
	}
	clone := got.Clone()
	clear(payload)
	if string(clone.Symbol) != "AAPL" || string(clone.Source) != "polygon" {
		t.Errorf("clone has symbol %q, source %q", clone.Symbol, clone.Source)
	}
	if string(got.Symbol) == "AAPL" {
		t.Error("the symbol does not alias the payload, as its documentation says")
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	d := newDecoder(t)
	for _, payload := range []string{
		marketTick, rawTick,
		with(`"volume":1e2,"event_type":"T","bid":1.4,"ask":1.6,"x":{"y":[1,2,"three",null]}`),
		with(`"timestamp":"2024-10-07 11:20:00.123456+00:00"`),
		with(`"timestamp":"1728300000.5"`),
		with(`"symbol":"Zürich","\u0070rice":2`),
		with(`"price":187.42000000000000001705302565824240446090698242`),
	} {
		data := []byte(payload)
		var got tick.Tick
		if err := d.Decode(data, clock, &got); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = d.Decode(data, clock, &got) }); n != 0 {
			t.Errorf("%v allocations for %s", n, payload)
		}
	}
}

func TestKindString(t *testing.T) {
	for kind, want := range map[tick.Kind]string{
		tick.Trade: "trade", tick.Aggregate: "aggregate", tick.Quote: "quote", tick.Unspecified: "unspecified", 9: "unspecified",
	} {
		if kind.String() != want {
			t.Errorf("kind %d is %q, want %q", kind, kind, want)
		}
	}
}

// The tables' own payloads are what their names say.
func TestTableIsJSON(t *testing.T) {
	for _, tt := range refusals {
		strict := tt.want != tick.NotJSON && tt.want != tick.PriceNotFinite
		if strict && !json.Valid([]byte(tt.payload)) {
			t.Errorf("%s: not JSON, but expected as %s", tt.name, tt.want)
		}
	}
}

func equal(a, b tick.Tick) bool {
	if !bytes.Equal(a.Symbol, b.Symbol) || !bytes.Equal(a.Source, b.Source) {
		return false
	}
	a.Symbol, a.Source, b.Symbol, b.Source = nil, nil, nil, nil
	return a.Price == b.Price && a.Volume == b.Volume && a.UnixNanos == b.UnixNanos &&
		a.Open == b.Open && a.High == b.High && a.Low == b.Low && a.Close == b.Close &&
		a.VWAP == b.VWAP && a.AggregateVolume == b.AggregateVolume &&
		a.Bid == b.Bid && a.Ask == b.Ask && a.Present == b.Present && a.Kind == b.Kind
}
