package tick_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/tick"
)

// checkDecode compares Decode with the oracle, and what it accepts with what
// comes back from its own encoding.
func checkDecode(t *testing.T, payload []byte) {
	t.Helper()
	d := newDecoder(t)
	want, reason := judge(payload, clock)
	var got tick.Tick
	err := d.Decode(payload, clock, &got)
	if err != nil {
		refusal, ok := errors.AsType[*tick.Refusal](err)
		if !ok || refusal.Reason != reason {
			t.Fatalf("%q\nerror %v, want reason %q", payload, err, reason)
		}
		checkDetail(t, refusal)
		return
	}
	if reason != "" || !equal(got, want) {
		t.Fatalf("%q\naccepted as %+v\nwant %+v, reason %q", payload, got, want, reason)
	}
	if !json.Valid(payload) {
		t.Fatalf("%q\naccepted, but not JSON", payload)
	}
	checkRoundTrip(t, d, got)
}

func checkRoundTrip(t *testing.T, d *tick.Decoder, want tick.Tick) {
	t.Helper()
	var got tick.Tick
	raw := want.AppendRawJSON(nil)
	if err := d.Decode(raw, clock, &got); err != nil || !equal(got, want) {
		t.Fatalf("%+v\nencoded as %s\ndecoded as %+v, error %v", want, raw, got, err)
	}
	// The market shape holds these only.
	want = tick.Tick{Symbol: want.Symbol, Source: want.Source, Price: want.Price, Volume: want.Volume, UnixNanos: want.UnixNanos}
	market := want.AppendJSON(nil)
	if err := d.Decode(market, clock, &got); err != nil || !equal(got, want) {
		t.Fatalf("%+v\nencoded as %s\ndecoded as %+v, error %v", want, market, got, err)
	}
	if !json.Valid(raw) || !json.Valid(market) {
		t.Fatalf("not JSON: %s or %s", raw, market)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(marketTick))
	f.Add([]byte(rawTick))
	for _, tt := range refusals {
		if len(tt.payload) < 4096 {
			f.Add([]byte(tt.payload))
		}
	}
	f.Add([]byte(with(`"\u0070rice":2,"symbol":"\ud83d\udcc8\u00e9\"","source":"\ud800\n","timestamp":"2024-10-07 11:20:00.5+0530","bid":0,"ask":1e-3`)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > 10_000 && len(payload) <= 64<<10 {
			return // the oracle is quadratic in long numbers
		}
		checkDecode(t, payload)
	})
}

// FuzzMembers mutates the values themselves, so that more of what it tries is
// JSON.
func FuzzMembers(f *testing.F) {
	f.Add(`"symbol"`, `"AAPL"`, `187.42`, `100`, `1728300000.123`, `"tick_open"`, `187.4`)
	f.Add(`"ticker"`, `"BRK.B"`, `1.5E3`, `null`, `"2024-10-07T11:20:00.123-04:00"`, `"bid"`, `1e-10`)
	f.Add(`"\u0073ymbol"`, `"\u00e9\ud83d\udcc8"`, `NaN`, `1e400`, `1728300000123456789.5`, `"event_type"`, `"A"`)
	f.Add(`"symbol"`, `null`, `187.42000000000002`, `-0`, `"1.7283e9"`, `"price"`, `-Infinity`)
	f.Fuzz(func(t *testing.T, symbolKey, symbol, price, volume, timestamp, key, value string) {
		payload := fmt.Sprintf(`{%s:%s,"price":%s,"volume":%s,"timestamp":%s,%s:%s}`, symbolKey, symbol, price, volume, timestamp, key, value)
		if len(payload) < 10_000 {
			checkDecode(t, []byte(payload))
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("AAPL", "polygon", int64(187_420_000_000), int64(100), int64(1728300000_123456789), uint8(1), uint8(0x3f), int64(7))
	f.Add(`"\/`+"é", "line\nfeed\x01", int64(1), int64(0), int64(1728300000_000000000), uint8(3), uint8(0xc0), int64(1<<62))
	f.Fuzz(func(t *testing.T, symbol, source string, price, volume, nanos int64, kind, present uint8, optional int64) {
		d := newDecoder(t)
		made := tick.Tick{
			Symbol: []byte(symbol), Source: []byte(strings.ToValidUTF8(source, "\ufffd")),
			Price: tick.Decimal(price), Volume: tick.Decimal(volume), UnixNanos: nanos,
			Kind: tick.Kind(kind % 4), Present: tick.Fields(present),
		}
		values := []*tick.Decimal{&made.Open, &made.High, &made.Low, &made.Close, &made.AggregateVolume, &made.VWAP, &made.Bid, &made.Ask}
		for i, value := range values {
			if made.Has(1 << i) {
				*value = tick.Decimal(optional)
			}
		}
		earliest, latest := int64(946684800e9), clock.UnixNano()+60e9
		plain := len(symbol) <= 64 && strings.Trim(symbol, " ") != "" && !strings.ContainsFunc(symbol, func(r rune) bool { return r < ' ' || r >= 0x7f })
		if !plain || price <= 0 || volume < 0 || optional <= 0 || nanos < earliest || nanos > latest || len(source) > 1000 {
			var got tick.Tick
			_ = d.Decode(made.AppendRawJSON(nil), clock, &got) // must not panic
			return
		}
		checkRoundTrip(t, d, made)
	})
}

// TestDecodeAgreesWithOracle tries what a fuzzer takes long to find: objects
// of nasty parts.
func TestDecodeAgreesWithOracle(t *testing.T) {
	const seed = 20251007
	random := rand.New(rand.NewPCG(seed, seed))
	pick := func(parts []string) string { return parts[random.IntN(len(parts))] }
	keys := []string{
		`"symbol"`, `"ticker"`, `"price"`, `"volume"`, `"timestamp"`, `"source"`, `"event_type"`, `"type"`, `"tick_open"`, `"tick_high"`,
		`"tick_low"`, `"tick_close"`, `"tick_volume"`, `"tick_vwap"`, `"bid"`, `"ask"`, `"tick_"`, `"Price"`, `"pri\u0063e"`, `""`, `"\ud800"`,
	}
	values := []string{
		`"A"`, `""`, `" "`, `"BF/B"`, `"\u0041\/"`, `"é"`, `"\ud83d\udcc8"`, `"\udcc8"`, `"T"`, `"Q"`, `null`, `true`, `false`, `{}`, `[]`,
		`{"price":[1,{"symbol":null}]}`, `[1,-2.5e-3,"]"]`, `0`, `-0.0`, `1`, `-1`, `1e-10`, `5e-10`, `187.42000000000002`, `12.5`, `1e10`,
		`9223372036.854775807`, `1e400`, `1728300000`, `1728300000.123`, `1728300000123`, `1728300000123456`, `1728300000123456789`,
		`1.7283e9`, `1728300061.000000001`, `946684799.9999999999`, `"1728300000"`, `"2024-10-07T11:20:00.123Z"`, `"2024-10-07 13:20:00+02:00"`,
		`"2024-02-30T00:00:00"`, `NaN`, `Infinity`, `-Infinity`, `nan`, `01`, `"\x"`, "\"\xff\"", `x`, ``,
	}
	sound := map[string]string{`"symbol"`: `"AAPL"`, `"price"`: `187.42`, `"timestamp"`: `1728300000.5`}
	names := slices.Sorted(maps.Keys(sound)) // in an order that the seed repeats
	for range 10_000 {
		var members []string
		for _, key := range names {
			if random.IntN(20) > 0 {
				members = append(members, key+":"+sound[key])
			}
		}
		for range random.IntN(4) {
			members = append(members, pick(keys)+":"+pick(values))
		}
		random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		checkDecode(t, []byte(pick([]string{"", " ", "\n"})+"{"+strings.Join(members, pick([]string{",", ", ", " ,\t"}))+"}"))
	}
}
