package deploy_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/tickstock/tickstream/bridge/egress"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// The egress itself as the user of the bridge: its lease, its consumers and the
// store's confirmations; and a second one takes over.
func TestEgressRuns(t *testing.T) {
	s, _ := ensured(t)
	operator, store := connect(t, s, "operator"), connect(t, s, presence.RolePipeline)
	redis := testbed.StartRedis(t)
	c := redis.Channels
	for _, instance := range []string{"one", "two"} {
		bridge := connect(t, s, presence.RoleBridge)
		e, err := egress.New(egress.Config{Instance: instance, Channels: c}, redis.Client(), bridge.Conn, bridge.js, quiet)
		if err != nil {
			t.Fatalf("make the egress: %v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }() // ends with stop
		testbed.Eventually(t, 10*time.Second, "the consumers are made", func(ctx context.Context) bool {
			for durable, of := range map[string]string{
				"egress_indicators": stream.Signals, "egress_patterns": stream.Signals,
				"egress_alerts": stream.Signals, "egress_errors": stream.Rejects,
			} {
				if _, err := operator.js.Consumer(ctx, of, durable); err != nil {
					return false
				}
			}
			return e.Report().Active && len(e.Report().Pending) == 4
		})
		end := time.Now().UTC().Truncate(time.Minute)
		key := event.BarKey{Symbol: "BRK.B", Timeframe: "1min", Start: event.At(end.Add(-time.Minute)), End: event.At(end)}
		for kind, result := range map[string]any{
			event.KindIndicator: event.Indicator{Indicator: "RSI", BarKey: key, Value: 1},
			event.KindPattern:   event.Pattern{Pattern: "Doji", BarKey: key, Confidence: 1, Direction: "neutral"},
			event.KindAlert:     event.IndicatorAlert{Alert: "RSI_OVERSOLD", BarKey: key, Indicator: "RSI"},
		} {
			data, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.js.Publish(t.Context(), stream.SignalSubject(kind, "X", "BRK.B"), data); err != nil {
				t.Fatalf("publish %s: %v", kind, err)
			}
		}
		if err := store.single(t.Context(), stream.RejectSubject("too_late")); err != nil {
			t.Fatal(err)
		}
		confirmation, err := json.Marshal(event.NewPersistence("", "ohlcv_1min", 1, end))
		if err != nil {
			t.Fatal(err)
		}
		testbed.Eventually(t, 10*time.Second, "each kind is sent", func(context.Context) bool {
			if err := store.Publish(stream.Persistence, confirmation); err != nil {
				t.Fatalf("confirm: %v", err)
			}
			for _, channel := range []string{c.Indicators, c.Patterns, c.PatternsHigh, c.AlertsIndicator, c.Errors, c.Persistence} {
				if e.Report().Channels[channel].Published == 0 {
					return false
				}
			}
			return true
		})
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		bridge.mustBeAllowed()
	}
	store.mustBeAllowed()
}
