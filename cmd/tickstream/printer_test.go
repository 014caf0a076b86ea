package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
)

var eventTime = time.Date(2025, 10, 7, 14, 30, 5, 0, time.UTC)

func encode(t *testing.T, v any) []byte {
	t.Helper()
	payload, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func healthEvent(status event.Status, issues ...string) event.StreamingHealth {
	return event.NewStreamingHealth(event.Health{
		SessionID: "e40d0164-0000-4000-8000-000000000000", Status: status, ActiveSymbols: 58, TicksPerSecond: 15.23,
		DataFlow: event.DataFlow{ProcessingLagMs: 45.4}, StaleSymbols: event.StaleSymbols{Count: 2, Symbols: []string{"A", "B"}},
		Issues: issues, Timestamp: event.At(eventTime),
	})
}

func someSession() event.Session {
	return event.Session{
		SessionID: "e40d0164-0000-4000-8000-000000000000", Universe: "u:k", SymbolUniverseKey: "u:k", SymbolCount: 60,
		StartedAt: event.At(eventTime), StartTime: event.At(eventTime), Status: "active", TriggerType: event.TriggerManual,
	}
}

func TestPrinterWritesALineForPeople(t *testing.T) {
	for want, value := range map[string]any{
		"2025-10-07T14:30:05Z healthy   58 symbols  15.2 tps  lag 45 ms  2 stale":                                                         healthEvent(event.StatusHealthy),
		"2025-10-07T14:30:05Z degraded  58 symbols  15.2 tps  lag 45 ms  2 stale  one; two":                                               healthEvent(event.StatusDegraded, "one", "two"),
		"2025-10-07T14:30:05Z session started  e40d0164-0000-4000-8000-000000000000  u:k  60 symbols  manual  since 2025-10-07T14:30:05Z": event.NewSessionStarted(someSession(), eventTime),
		"2025-10-07T14:30:05Z session stopped  x  completed after 90 s  1 patterns  2 indicators": event.NewSessionStopped(event.SessionEnd{
			SessionID: "x", DurationSeconds: 90, TotalPatterns: 1, TotalIndicators: 2, FinalStatus: event.FinalCompleted,
		}, eventTime),
		"2025-10-07T14:30:05Z gap       2.5 s not subscribed to c (connection lost)": event.NewGap("i", "c", eventTime.Add(-2500*time.Millisecond), eventTime, "connection lost"),
		"2025-10-07T14:30:05Z alert critical  bridge  it hangs":                      json.RawMessage(`{"type":"critical_alert","severity":"critical","component":"bridge","message":"it hangs","timestamp":"2025-10-07T14:30:05Z"}`),
		"2025-10-07T14:30:05Z alert warning  AAPL  RSI_OVERBOUGHT":                   json.RawMessage(`{"type":"indicator_alert","severity":"warning","alert_type":"RSI_OVERBOUGHT","symbol":"AAPL","timestamp":"2025-10-07T14:30:05Z"}`),
		"2025-10-07T14:30:00.000Z bar        AAPL  1min  O 187.1  H 188  L 187  C 187.42  volume 1200.5  vwap 187.3  ticks 57": json.RawMessage(
			`{"type":"bar","symbol":"AAPL","timeframe":"1min","start":"2025-10-07T14:30:00.000Z","end":"2025-10-07T14:31:00.000Z","open":187.1,"high":188,"low":187,"close":187.42,"volume":1200.5,"vwap":187.3,"tick_count":57,"revision":0}`),
		"2025-10-07T14:30:00.000Z bar        AAPL  1min  O 1  H 1  L 1  C 1  volume 0  ticks 1  revision 2": json.RawMessage(
			`{"type":"bar","symbol":"AAPL","timeframe":"1min","start":"2025-10-07T14:30:00.000Z","open":1,"high":1,"low":1,"close":1,"volume":0,"vwap":null,"tick_count":1,"revision":2}`),
		"2025-10-07T14:30:00.000Z indicator  AAPL  1min  SMA_20  187.25": json.RawMessage(
			`{"type":"indicator","indicator":"SMA_20","symbol":"AAPL","timeframe":"1min","start":"2025-10-07T14:30:00.000Z","value":187.25,"values":{"value":187.25},"revision":0}`),
		"2025-10-07T14:30:00.000Z indicator  AAPL  1min  MACD  0.5  (macd 0.5, signal 0.25)  revision 1  withdrawn": json.RawMessage(
			`{"kind":"indicator","name":"MACD","symbol":"AAPL","timeframe":"1min","start":"2025-10-07T14:30:00.000Z","value":0.5,"values":{"signal":0.25,"macd":0.5},"revision":1,"withdrawn":true}`),
		"2025-10-07T14:30:00.000Z pattern    AAPL  1min  Doji  confidence 0.85  neutral": json.RawMessage(
			`{"type":"pattern","pattern":"Doji","symbol":"AAPL","timeframe":"1min","start":"2025-10-07T14:30:00.000Z","score":100,"confidence":0.85,"direction":"neutral"}`),
		"2025-10-07T14:30:00.000Z alert info  AAPL  1min  RSI_OVERBOUGHT  RSI 75.2 above 70": json.RawMessage(
			`{"type":"indicator_alert","alert":"RSI_OVERBOUGHT","symbol":"AAPL","timeframe":"1min","start":"2025-10-07T14:30:00.000Z","indicator":"RSI","value":75.2,"threshold":70,"direction":"above","severity":"info"}`),
		// As AppV2 gets them.
		"2025-10-07T14:31:00.000Z pattern    AAPL  1min  Doji  confidence 0.9": json.RawMessage(
			`{"type":"streaming_pattern","detection":{"pattern":"Doji","symbol":"AAPL","confidence":0.9,"timestamp":"2025-10-07T14:31:00.000Z","timeframe":"1min"}}`),
		"2025-10-07T14:31:00.000Z indicator  AAPL  1min  RSI  72.5": json.RawMessage(
			`{"type":"streaming_indicator","calculation":{"indicator":"RSI","symbol":"AAPL","value":72.5,"values":{"value":72.5},"timestamp":"2025-10-07T14:31:00.000Z","timeframe":"1min"}}`),
		"2025-10-07T14:31:00.000Z alert info  AAPL  RSI_OVERSOLD  RSI 25 below 30": json.RawMessage(
			`{"type":"indicator_alert","alert_type":"RSI_OVERSOLD","symbol":"AAPL","timestamp":"2025-10-07T14:31:00.000Z","severity":"info","data":{"indicator":"RSI","value":25,"threshold":30,"direction":"below"},"alert":{"alert_type":"RSI_OVERSOLD"}}`),
		"t bar        A[2J  O   H   L   C   volume ": json.RawMessage(`{"type":"bar","symbol":"A\u001b[2J","start":"t","open":[],"high":null}`),
		`{"type":"news","text":"x"}`:                 json.RawMessage("{\n\"type\": \"news\",\n \"text\": \"x\"}"),
		`{"type":"streaming_health","health":3}`:     json.RawMessage(`{"type":"streaming_health","health":3}`),
		"not JSON":                                   nil,
	} {
		payload := []byte(want)
		if value != nil {
			payload = encode(t, value)
			if raw, ok := value.(json.RawMessage); ok {
				payload = raw
			}
		}
		var out bytes.Buffer
		if err := newPrinter(&out, false).print(payload); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(out.String(), "\n"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestPrinterColoursTheStatus(t *testing.T) {
	p := &printer{paint: painter{on: true}}
	for status, colour := range map[event.Status]string{
		event.StatusHealthy: green, event.StatusStarting: yellow, event.StatusDegraded: yellow, event.StatusStopping: yellow, event.StatusError: red,
	} {
		if line := p.health(healthEvent(status)); !strings.HasPrefix(line, "\x1b["+colour+"m"+string(status)) {
			t.Errorf("%s: %q", status, line)
		}
	}
}
