package event_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/tick"
)

var start = time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)

func TestBarIsWrittenAsItReads(t *testing.T) {
	t.Parallel()
	for _, symbol := range []string{"AAPL", "BRK.B", `Q"<\`, "é", "a\x01"} {
		bar := event.NewBar(symbol, "1min", start, start.Add(time.Minute))
		bar.Open, bar.High, bar.Low, bar.Close = 187420000001, 188*tick.One, 1, 187*tick.One
		bar.Volume.Add(tick.MaxDecimal)
		bar.Volume.Add(tick.MaxDecimal)
		bar.TickCount, bar.SessionID, bar.Revision, bar.FirstSequence, bar.LastSequence = 3, "s", 2, 1, math.MaxUint64
		for _, vwap := range []*tick.Decimal{nil, &bar.Open} {
			bar.VWAP = vwap
			want, err := json.Marshal(&bar)
			if err != nil {
				t.Fatal(err)
			}
			if got := bar.AppendJSON(nil); string(got) != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}

func TestIndicatorIsWrittenAsItReads(t *testing.T) {
	t.Parallel()
	template := event.IndicatorTemplate{Name: "BB", Outputs: []string{"upper", "middle", "lower"}, Main: 1, Parameters: []byte(`{"period":20}`)}
	key := event.BarKey{Symbol: "BRK.B", Timeframe: "1min", Start: event.At(start), End: event.At(start.Add(time.Minute))}
	for _, values := range [][]float64{{1, 2, 3}, {0, -0.1, 1e-9}, {1e21, math.MaxFloat64, 5e-324}, {123456789.123, 1e-6, 1e-100}} {
		for _, withdrawn := range []bool{false, true} {
			written := event.AppendIndicator(nil, &template, key, values, "s", 7, withdrawn, 99)
			var read event.Indicator
			if err := json.Unmarshal(written, &read); err != nil {
				t.Fatalf("%s: %v", written, err)
			}
			if read.Value != values[1] || read.Values["upper"] != values[0] || read.Values["lower"] != values[2] ||
				read.BarKey != key || read.Withdrawn != withdrawn || read.Revision != 7 || read.Sequence != 99 || read.Parameters["period"] != 20.0 {
				t.Errorf("%s reads as %+v", written, read)
			}
			again, err := json.Marshal(map[string]float64{"v": values[0]})
			if err != nil {
				t.Fatal(err)
			}
			if one := event.AppendIndicator(nil, &event.IndicatorTemplate{Outputs: []string{"v"}, Parameters: []byte("{}")}, key, values[:1], "", 0, false, 0); !json.Valid(one) || !bytes.Contains(one, again) {
				t.Errorf("%s does not hold %s", one, again)
			}
		}
	}
}

func TestSignalIDIsTheSameForTheSameBarOnly(t *testing.T) {
	t.Parallel()
	id := event.SignalID(event.KindPattern, "Doji", "AAPL", "1min", start)
	if id != event.SignalID(event.KindPattern, "Doji", "AAPL", "1min", start.In(time.FixedZone("x", 3600))) {
		t.Error("another time zone gives another id")
	}
	for _, other := range []string{"AAP", "AAPLE"} {
		if id == event.SignalID(event.KindPattern, "Doji", other, "1min", start) {
			t.Error("another symbol gives the same id")
		}
	}
}
