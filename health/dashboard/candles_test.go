package dashboard_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/dashboard"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

func TestCandlesAreTheLastRevisions(t *testing.T) {
	b := newBed(t, dashboard.Config{Symbols: []string{"AAPL", "BRK.B"}}, nil)
	start := time.Now().Truncate(time.Minute).Add(-5 * time.Minute)
	bar := func(minute int, closing string, revision uint32) {
		at := start.Add(time.Duration(minute) * time.Minute)
		e := event.NewBar("BRK.B", "1min", at, at.Add(time.Minute))
		price, err := tick.ParseDecimal([]byte(closing))
		if err != nil {
			t.Fatal(err)
		}
		e.Open, e.High, e.Low, e.Close, e.Revision = price, price, price, price, revision
		b.publish(stream.BarSubject("1min", "BRK.B"), e)
	}
	pattern := func(minute int, name string, revision uint32, withdrawn bool) {
		at := start.Add(time.Duration(minute) * time.Minute)
		key := event.BarKey{Symbol: "BRK.B", Timeframe: "1min", Start: event.At(at), End: event.At(at.Add(time.Minute))}
		b.publish(stream.SignalSubject(event.KindPattern, stream.PatternToken(name), "BRK.B"),
			event.Pattern{Pattern: name, BarKey: key, Confidence: 0.5, Direction: "bullish", Revision: revision, Withdrawn: withdrawn})
	}
	bar(0, "400.5", 0)
	bar(1, "401.5", 0)
	bar(0, "400.25", 1)
	pattern(0, "Doji", 0, false)
	pattern(1, "Hammer", 0, false)
	pattern(0, "Doji", 1, true)

	var chart struct {
		Bars []struct {
			At       int64
			C        float64
			Revision uint32
		}
		Patterns []struct {
			At   int64
			Name string
		}
	}
	code, body := b.ask(http.MethodGet, "/api/candles?symbol=BRK.B&timeframe=1min", "")
	if err := json.Unmarshal([]byte(body), &chart); code != http.StatusOK || err != nil {
		t.Fatalf("candles: %d %v %s", code, err, body)
	}
	if len(chart.Bars) != 2 || chart.Bars[0].C != 400.25 || chart.Bars[0].Revision != 1 || chart.Bars[1].C != 401.5 || chart.Bars[0].At != start.UnixMilli() {
		t.Errorf("bars are %+v", chart.Bars)
	}
	if len(chart.Patterns) != 1 || chart.Patterns[0].Name != "Hammer" || chart.Patterns[0].At != chart.Bars[1].At {
		t.Errorf("patterns are %+v", chart.Patterns)
	}
	for path, want := range map[string]string{
		"/api/candles?symbol=NONE&timeframe=daily": `{"symbol":"NONE","timeframe":"daily","bars":[],"patterns":[]}`,
		"/api/symbols": `["AAPL","BRK.B"]`,
	} {
		if code, body := b.ask(http.MethodGet, path, ""); code != http.StatusOK || body != want {
			t.Errorf("%s = %d %s", path, code, body)
		}
	}
	for _, query := range []string{"", "?symbol=AAPL", "?symbol=AAPL&timeframe=2min", "?timeframe=1min"} {
		if code, _ := b.ask(http.MethodGet, "/api/candles"+query, ""); code != http.StatusBadRequest {
			t.Errorf("%q = %d", query, code)
		}
	}
}

func TestStockIsTaken(t *testing.T) {
	b := newBed(t, dashboard.Config{}, nil)
	p := b.open("")
	var streams []struct {
		Name     string
		Replicas int
	}
	p.next("the streams", nil, "stock").read(t, &streams)
	if len(streams) != 5 || streams[0].Name != stream.Ticks || streams[0].Replicas != 1 {
		t.Errorf("streams are %+v", streams)
	}
}
