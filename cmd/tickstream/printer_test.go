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
		"2025-10-07T14:30:05Z alert warning  RSI_OVERBOUGHT  AAPL":                   json.RawMessage(`{"type":"indicator_alert","severity":"warning","alert_type":"RSI_OVERBOUGHT","symbol":"AAPL","timestamp":"2025-10-07T14:30:05Z"}`),
		`{"type":"news","text":"x"}`:                                                 json.RawMessage("{\n\"type\": \"news\",\n \"text\": \"x\"}"),
		`{"type":"streaming_health","health":3}`:                                     json.RawMessage(`{"type":"streaming_health","health":3}`),
		"not JSON":                                                                   nil,
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
