package egress_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/bridge/egress"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var oddSymbols = []string{"BRK.B", "BF/B", "O:SPY251219C00650000", "^SPX", "BTC-USD", "EUR/USD", `Q"<\&`, "é", "a b", "*", ">"}

func (b *bed) alert(name, symbol, indicator string) {
	b.Helper()
	b.publish(event.KindAlert, name, symbol, event.IndicatorAlert{
		Type: "indicator_alert", Alert: name, BarKey: key(symbol, 0), Indicator: indicator, Value: 75.2, Threshold: 70,
		Direction: "above", Severity: "warning", SessionID: "s",
	})
}

// Whatever a symbol looks like, it arrives as it is.
func TestOddSymbolsArriveAsTheyAre(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(e)
	for _, symbol := range oddSymbols {
		b.indicator(symbol, 1, 0)
		b.alert("MACD_BULLISH_CROSS", symbol, "MACD")
		b.publish(event.KindPattern, "Doji", symbol, event.Pattern{Type: "pattern", Pattern: "Doji", BarKey: key(symbol, 0), Confidence: 1, Direction: "neutral"})
	}
	c := b.redis.Channels
	for channel, of := range map[string]struct{ schema, inner string }{
		c.Indicators:      {schema.StreamingIndicator, "calculation"},
		c.Patterns:        {schema.StreamingPattern, "detection"},
		c.PatternsHigh:    {schema.StreamingPattern, "detection"},
		c.AlertsIndicator: {schema.IndicatorAlert, "alert"},
	} {
		testbed.Eventually(t, 10*time.Second, "all symbols arrive", func(context.Context) bool { return b.count(channel) == len(oddSymbols) })
		for i, payload := range b.on(channel) {
			testbed.CheckEvent(t, of.schema, []byte(payload))
			var got map[string]json.RawMessage
			var inner struct{ Symbol string }
			if err := json.Unmarshal([]byte(payload), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(got[of.inner], &inner); err != nil || inner.Symbol != oddSymbols[i] {
				t.Errorf("%s: %q arrived as %s", channel, oddSymbols[i], payload)
			}
		}
	}
}

// The alert's value stands under its indicator's name too, in both shapes.
func TestAlertsTellTheValueUnderTheIndicatorsName(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(e)
	names := map[string]string{"RSI_OVERBOUGHT": "RSI", "RSI_OVERSOLD": "RSI", "MACD_BULLISH_CROSS": "MACD", "MACD_BEARISH_CROSS": "MACD", "BB_UPPER_BREAK": "BB", "BB_LOWER_BREAK": "BB"}
	for name, indicator := range names {
		b.alert(name, "AAPL", indicator)
	}
	testbed.Eventually(t, 10*time.Second, "all alerts arrive", func(context.Context) bool { return b.count(b.redis.Channels.AlertsIndicator) == len(names) })
	for _, payload := range b.on(b.redis.Channels.AlertsIndicator) {
		testbed.CheckEvent(t, schema.IndicatorAlert, []byte(payload))
		var got struct {
			AlertType string `json:"alert_type"`
			Data      map[string]any
			Alert     struct{ Data map[string]any }
		}
		if err := json.Unmarshal([]byte(payload), &got); err != nil {
			t.Fatal(err)
		}
		lower := strings.ToLower(names[got.AlertType])
		if got.Data[lower] != 75.2 || got.Alert.Data[lower] != 75.2 {
			t.Errorf("no %s in %s", lower, payload)
		}
	}
}

// The body of a pattern on both channels is the same.
func TestPatternsAreSplitByConfidence(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(e)
	for i := range 11 {
		b.pattern("Doji", float64(i)/10, false)
	}
	b.pattern("Hammer", 1, true) // withdrawn
	b.pattern("Doji", 0.7999999, false)
	c := b.redis.Channels
	testbed.Eventually(t, 10*time.Second, "all arrive", func(context.Context) bool { return b.count(c.Patterns) == 12 })
	high := b.on(c.PatternsHigh)
	if all := b.on(c.Patterns); !slices.Equal(high, all[8:11]) {
		t.Errorf("high confidence: %v", high)
	}
	if n := b.count(c.PatternEvents); n != 0 {
		t.Errorf("%d events of the first generation that nobody asked for", n)
	}
	var got event.StreamingPattern
	if err := json.Unmarshal([]byte(high[0]), &got); err != nil {
		t.Fatal(err)
	}
	d := got.Detection
	if d.BarData.Volume != 2 || d.Metadata.PatternID != event.SignalID(event.KindPattern, "Doji", "BRK.B", "1min", d.Timestamp.Add(-time.Minute)) {
		t.Errorf("detection is %+v", d)
	}
}

// An alert goes out while indicators have a backlog.
func TestABacklogOfOneKindDelaysNoOther(t *testing.T) {
	b := newBed(t)
	first, stop := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(first)
	stop()
	const n = 8000
	b.flood("A", n)
	b.alert("RSI_OVERBOUGHT", "AAPL", "RSI")
	b.start(egress.Config{Instance: "two"}, b.redis.Client())
	b.arrived(n - 1)
	b.inOrder(n)
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := slices.Index(b.order, b.redis.Channels.AlertsIndicator); at < 0 || at > n/2 {
		t.Errorf("the alert came as event %d of %d", at, len(b.order))
	}
}

// What nobody listens to is counted.
func TestUnheardEventsAreCounted(t *testing.T) {
	b := newBed(t)
	nobody := event.NewChannels(b.redis.Channels.Ticks + "-nobody")
	e, _ := b.start(egress.Config{Instance: "one", Channels: nobody}, b.redis.Client())
	b.active(e)
	b.indicator("A", 1, 0)
	b.indicator("A", 2, 0)
	testbed.Eventually(t, 10*time.Second, "both are counted", func(context.Context) bool { return e.Report().Channels[nobody.Indicators].Published == 2 })
	if c := e.Report().Channels[nobody.Indicators]; c.Unheard != 2 || c.Receivers != 0 {
		t.Errorf("counted %+v", c)
	}
}

// What is no result is counted, and what follows goes out.
func TestUnreadableResultsAreCounted(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(e)
	for _, kind := range []string{event.KindIndicator, event.KindPattern, event.KindAlert} {
		for _, data := range []string{"", "no JSON", `{}`, `[]`, `{"symbol":7}`} {
			if _, err := b.js.Publish(t.Context(), stream.SignalSubject(kind, "X", "A"), []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.indicator("A", 1, 0)
	b.pattern("Doji", 0.5, false)
	b.alert("RSI_OVERSOLD", "A", "RSI")
	c := b.redis.Channels
	testbed.Eventually(t, 10*time.Second, "the results arrive", func(context.Context) bool {
		return b.count(c.Indicators) == 1 && b.count(c.Patterns) == 1 && b.count(c.AlertsIndicator) == 1
	})
	if got := e.Report().Malformed; got != 15 {
		t.Errorf("%d counted as malformed, want 15", got)
	}
}

func (b *bed) reject(reason, detail string) uint64 {
	b.Helper()
	msg := nats.NewMsg(stream.RejectSubject(reason))
	msg.Header.Set(event.HeaderRejectReason, reason)
	msg.Header.Set(event.HeaderRejectDetail, detail)
	ack, err := b.js.PublishMsg(b.Context(), msg)
	if err != nil {
		b.Fatal(err)
	}
	return ack.Sequence
}

// Of one reason there is one event an interval, which tells how many it stands
// for; another reason does not wait, and a stop tells what is left.
func TestErrorsAreLimitedByReason(t *testing.T) {
	b := newBed(t)
	e, stop := b.start(egress.Config{Instance: "one", ErrorInterval: time.Hour}, b.redis.Client())
	b.active(e)
	channel := b.redis.Channels.Errors
	b.reject("not_json", "first")
	testbed.Eventually(t, 10*time.Second, "the first is told at once", func(context.Context) bool { return b.count(channel) == 1 })
	for i := range 40 {
		b.reject("not_json", fmt.Sprint("more ", i))
	}
	b.reject("too_late", "")
	testbed.Eventually(t, 10*time.Second, "another reason is told at once", func(context.Context) bool { return b.count(channel) == 2 })
	stop()
	testbed.Eventually(t, 10*time.Second, "a stop tells the rest", func(context.Context) bool { return b.count(channel) == 3 })
	var events []event.Error
	ids := map[string]bool{}
	for _, payload := range b.on(channel) {
		testbed.CheckEvent(t, schema.Error, []byte(payload))
		var e event.Error
		if err := json.Unmarshal([]byte(payload), &e); err != nil {
			t.Fatal(err)
		}
		events, ids[e.ErrorID.String()] = append(events, e), true
	}
	if events[1].Component != "pipeline" || events[2].Component != "bridge" || len(ids) != 3 {
		t.Errorf("events are %+v", events)
	}
	if want := "40 refused as not_json, the last from an unknown source: more 39"; events[2].Message != want || events[2].Payload.Message != want {
		t.Errorf("message is %q, want %q", events[2].Message, want)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	channels := event.NewChannels("x")
	for want, cfg := range map[string]egress.Config{
		"instance": {Channels: channels},
		"channels": {Instance: "one"},
		"max age":  {Instance: "one", Channels: channels, MaxAge: time.Millisecond},
		"interval": {Instance: "one", Channels: channels, ErrorInterval: -1},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error is %v, want it to name %q", cfg, err, want)
		}
	}
}
