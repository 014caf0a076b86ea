package event_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// What is relayed is, to the last digit, what the plain struct says.
func TestRelayedIndicatorIsTheStreamingOne(t *testing.T) {
	t.Parallel()
	key := event.BarKey{Timeframe: "1min", Start: event.At(start), End: event.At(start.Add(time.Minute))}
	for _, symbol := range []string{"AAPL", "BRK.B", "BF/B", "O:SPY251219C00650000", "^SPX", `Q"<\`, "é", "a\x01", "\u2028"} {
		for _, values := range []map[string]float64{
			{"value": 72.5}, {"macd": -1e-9, "signal": 0, "histogram": 5e-324}, {`a":[`: 1, `t\`: 2}, {"": 1e21},
		} {
			for _, parameters := range []map[string]any{{}, {"period": 14, "text": "}"}, nil} {
				key.Symbol = symbol
				i := event.Indicator{
					Type: "indicator", Indicator: "RSI" + symbol, BarKey: key, Value: 123456789.123, Values: values,
					Parameters: parameters, SessionID: symbol, Revision: 3, Sequence: 9,
				}
				data, err := json.Marshal(i)
				if err != nil {
					t.Fatal(err)
				}
				relay, err := event.ReadIndicator(data)
				if err != nil {
					t.Fatalf("%s: %v", data, err)
				}
				got := relay.AppendStreaming(nil)
				want, err := json.Marshal(event.NewStreamingIndicator(&i))
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(object(t, got), object(t, want)) {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				testbed.CheckEvent(t, schema.StreamingIndicator, got)
			}
		}
	}
}

func object(t *testing.T, data []byte) (o map[string]any) {
	t.Helper()
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return o
}

// AppV2 reads the values whatever else there is.
func TestRelayedIndicatorHasValues(t *testing.T) {
	t.Parallel()
	for _, values := range []string{``, `,"values":null`, `,"values":{}`, `,"values":{ }`} {
		relay, err := event.ReadIndicator([]byte(`{"indicator":"RSI","symbol":"A","timeframe":"1min","end":"2026-03-02T14:31:00.000Z","value":7` + values + `}`))
		if err != nil {
			t.Fatalf("%s: %v", values, err)
		}
		got := relay.AppendStreaming(nil)
		testbed.CheckEvent(t, schema.StreamingIndicator, got)
		if v := object(t, got)["calculation"].(map[string]any)["values"]; !reflect.DeepEqual(v, map[string]any{"value": 7.0}) { //nolint:forcetypeassert // the schema says so
			t.Errorf("%s: values are %v", values, v)
		}
	}
}

func TestWhatIsNoIndicatorIsNotRelayed(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"no JSON":                `{`,
		"nothing":                `{}`,
		"no symbol":              `{"indicator":"RSI","end":"2026-03-02T14:31:00.000Z","value":7}`,
		"no end":                 `{"indicator":"RSI","symbol":"A","value":7}`,
		"no value":               `{"indicator":"RSI","symbol":"A","end":"2026-03-02T14:31:00.000Z"}`,
		"value of another type":  `{"indicator":"RSI","symbol":"A","end":"2026-03-02T14:31:00.000Z","value":"7"}`,
		"values of another type": `{"indicator":"RSI","symbol":"A","end":"2026-03-02T14:31:00.000Z","value":7,"values":[1]}`,
		"one value is a word":    `{"indicator":"RSI","symbol":"A","end":"2026-03-02T14:31:00.000Z","value":7,"values":{"a":1,"b":"2"}}`,
		"one value is null":      `{"indicator":"RSI","symbol":"A","end":"2026-03-02T14:31:00.000Z","value":7,"values":{"a":null}}`,
		"parameters are a list":  `{"indicator":"RSI","symbol":"A","end":"2026-03-02T14:31:00.000Z","value":7,"parameters":[]}`,
	} {
		if got, err := event.ReadIndicator([]byte(data)); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
	if _, err := event.ReadIndicator([]byte(`{}`)); !errors.Is(err, event.ErrIndicator) {
		t.Errorf("error is %v", err)
	}
}

// Whatever is accepted becomes an event as the schema says, or has a timeframe
// or an infinite number that the pipeline does not write.
func FuzzReadIndicator(f *testing.F) {
	f.Add([]byte(`{"indicator":"RSI","symbol":"A","timeframe":"1min","end":"2026-03-02T14:31:00.000Z","value":7,"values":{"a\"":-1.5e+3},"parameters":{"p":[1]},"session_id":"s"}`))
	f.Add([]byte(`{"indicator":"RSI","symbol":"A","end":"2026-03-02T14:31:00.000Z","value":7,"values":{"a":{"b":1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		relay, err := event.ReadIndicator(data)
		if err != nil {
			return
		}
		var got struct {
			Calculation struct {
				Value  *json.Number
				Values map[string]*json.Number
			}
		}
		written := relay.AppendStreaming(nil)
		if err := json.Unmarshal(written, &got); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if got.Calculation.Value == nil || len(got.Calculation.Values) == 0 {
			t.Fatalf("%s has no values", written)
		}
		for name, v := range got.Calculation.Values {
			if v == nil {
				t.Fatalf("%s: %s is null", written, name)
			}
		}
	})
}

func BenchmarkRelayIndicator(b *testing.B) {
	template := event.IndicatorTemplate{Name: "MACD", Outputs: []string{"macd", "signal", "histogram"}, Parameters: []byte(`{"fast":12,"slow":26,"signal":9}`)}
	key := event.BarKey{Symbol: "AAPL", Timeframe: "1min", Start: event.At(start), End: event.At(start.Add(time.Minute))}
	data := event.AppendIndicator(nil, &template, key, []float64{1.234567, -2.345678, 3.456789}, "0b5a9bde-6f8f-4a0c-a3a4-3c1d9d5f7a11", 0, false, 123456)
	b.Run("relay", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			relay, err := event.ReadIndicator(data)
			if err != nil {
				b.Fatal(err)
			}
			buf = relay.AppendStreaming(buf[:0])
		}
	})
	b.Run("struct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var i event.Indicator
			if err := json.Unmarshal(data, &i); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(event.NewStreamingIndicator(&i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
