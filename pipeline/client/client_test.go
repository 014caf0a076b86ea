package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/client"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const patience = 20 * time.Second

var minute = time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)

type bed struct {
	*testing.T
	nats *testbed.NATS
	js   jetstream.JetStream
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, nats: testbed.StartNATS(t)}
	b.js = b.nats.JetStream()
	if _, err := stream.Ensure(t.Context(), b.js, stream.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("make streams: %v", err)
	}
	return b
}

func (b *bed) publish(subject string, v any) {
	b.Helper()
	data, ok := v.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(v); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := b.js.Publish(b.Context(), subject, data); err != nil {
		b.Fatalf("publish to %s: %v", subject, err)
	}
}

func (b *bed) bar(timeframe, symbol string, n int) {
	b.Helper()
	bar := event.NewBar(symbol, timeframe, minute.Add(time.Duration(n)*time.Minute), minute.Add(time.Duration(n+1)*time.Minute))
	bar.TickCount = int64(n)
	b.publish(stream.BarSubject(timeframe, symbol), bar)
}

// take collects n elements of a sequence, each as text.
func take[T any](t *testing.T, n int, seq func(context.Context) iter.Seq2[T, error], text func(T) string) (got []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for v, err := range seq(ctx) {
		if err != nil {
			got = append(got, "error: "+fmt.Sprint(errors.Is(err, client.ErrMalformed)))
		} else {
			got = append(got, text(v))
		}
		if len(got) == n {
			return got
		}
	}
	t.Fatalf("the sequence ended with %v, want %d", got, n)
	return nil
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBarsAreThoseOfTheSelection(t *testing.T) {
	b := newBed(t)
	for n := range 3 {
		b.bar("1min", "BRK.B", n)
		b.bar("1min", "AAPL", n)
		b.bar("5min", "BRK.B", n)
	}
	for name, test := range map[string]struct {
		selection client.Selection
		want      []string
	}{
		"all":          {client.Selection{FromSequence: 1}, []string{"1min BRK.B 0 @1", "1min AAPL 0 @2", "5min BRK.B 0 @3", "1min BRK.B 1 @4"}},
		"a symbol":     {client.Selection{FromSequence: 1, Symbols: []string{"BRK.B"}}, []string{"1min BRK.B 0 @1", "5min BRK.B 0 @3", "1min BRK.B 1 @4"}},
		"a timeframe":  {client.Selection{FromSequence: 1, Names: []string{"5min"}}, []string{"5min BRK.B 0 @3", "5min BRK.B 1 @6"}},
		"both":         {client.Selection{FromSequence: 1, Names: []string{"1min"}, Symbols: []string{"AAPL"}}, []string{"1min AAPL 0 @2", "1min AAPL 1 @5"}},
		"from a place": {client.Selection{FromSequence: 5}, []string{"1min AAPL 1 @5"}},
		"since":        {client.Selection{Since: time.Now().Add(-time.Hour)}, []string{"1min BRK.B 0 @1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := take(t, len(test.want), func(ctx context.Context) iter.Seq2[client.Bar, error] {
				return client.New(b.js).Bars(ctx, test.selection)
			}, func(bar client.Bar) string {
				return fmt.Sprintf("%s %s %d @%d", bar.Timeframe, bar.Symbol, bar.TickCount, bar.Place.Sequence)
			})
			expect(t, got, test.want...)
		})
	}
}

func TestWhatIsNoEventIsToldAndPassed(t *testing.T) {
	b := newBed(t)
	b.bar("1min", "AAPL", 0)
	b.publish(stream.BarSubject("1min", "AAPL"), []byte("{"))
	b.bar("1min", "AAPL", 2)
	got := take(t, 3, func(ctx context.Context) iter.Seq2[client.Bar, error] {
		return client.New(b.js).Bars(ctx, client.Selection{FromSequence: 1})
	}, func(bar client.Bar) string { return fmt.Sprint(bar.TickCount) })
	expect(t, got, "0", "error: true", "2")
}

func TestSequenceOutlivesTheServer(t *testing.T) {
	b := newBed(t)
	b.bar("1min", "AAPL", 0)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	n := int64(0)
	for bar, err := range client.New(b.js).Bars(ctx, client.Selection{FromSequence: 1}) {
		if err != nil || bar.TickCount != n {
			t.Fatalf("got bar %d, %v; want bar %d", bar.TickCount, err, n)
		}
		if n == 3 {
			return
		}
		if n == 1 {
			b.nats.Stop()
			b.nats.Start()
			testbed.Eventually(t, patience, "connected again", func(context.Context) bool { return b.js.Conn().IsConnected() })
		}
		n++
		b.bar("1min", "AAPL", int(n))
	}
	t.Fatalf("the sequence ended at bar %d: %v", n, ctx.Err())
}

func TestEndOfTheContextEndsASequence(t *testing.T) {
	b := newBed(t)
	for name, down := range map[string]bool{"connected": false, "while the server is away": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			b.bar("1min", "AAPL", 0)
			for _, err := range client.New(b.js).Bars(ctx, client.Selection{FromSequence: 1}) {
				if err != nil {
					t.Fatalf("an error at the end: %v", err)
				}
				if down {
					b.nats.Stop()
				}
				cancel()
			}
			if ctx.Err() == nil {
				t.Error("ended by itself")
			}
			cancel()
		})
	}
}

func TestSignalsAreTyped(t *testing.T) {
	b := newBed(t)
	key := event.BarKey{Symbol: "AAPL", Timeframe: "1min", Start: event.At(minute), End: event.At(minute.Add(time.Minute))}
	b.publish(stream.SignalSubject(event.KindIndicator, "RSI", "AAPL"), event.Indicator{Type: "indicator", Indicator: "RSI", BarKey: key, Value: 72.5})
	b.publish(stream.SignalSubject(event.KindPattern, stream.PatternToken("Bullish Engulfing"), "AAPL"), event.Pattern{Type: "pattern", Pattern: "Bullish Engulfing", BarKey: key, Confidence: 0.9})
	b.publish(stream.SignalSubject(event.KindAlert, "RSI_OVERBOUGHT", "AAPL"), event.IndicatorAlert{Type: "indicator_alert", Alert: "RSI_OVERBOUGHT", BarKey: key, Value: 72.5})
	c := client.New(b.js)
	from := func(name string) client.Selection {
		return client.Selection{FromSequence: 1, Names: []string{name}, Symbols: []string{"AAPL"}}
	}
	expect(t, take(t, 1, func(ctx context.Context) iter.Seq2[client.Indicator, error] { return c.Indicators(ctx, from("RSI")) },
		func(i client.Indicator) string { return fmt.Sprintf("%s %v @%d", i.Name(), i.Value, i.Place.Sequence) }), "RSI 72.5 @1")
	expect(t, take(t, 1, func(ctx context.Context) iter.Seq2[client.Pattern, error] {
		return c.Patterns(ctx, from("Bullish Engulfing"))
	},
		func(p client.Pattern) string {
			return fmt.Sprintf("%s %v @%d", p.Name(), p.Confidence, p.Place.Sequence)
		}), "Bullish Engulfing 0.9 @2")
	expect(t, take(t, 1, func(ctx context.Context) iter.Seq2[client.Alert, error] { return c.Alerts(ctx, from("RSI_OVERBOUGHT")) },
		func(a client.Alert) string { return fmt.Sprintf("%s %v @%d", a.Alert, a.Value, a.Place.Sequence) }), "RSI_OVERBOUGHT 72.5 @3")
}

func TestHealthBeginsWithTheLatest(t *testing.T) {
	b := newBed(t)
	publish := func(status event.Status) {
		b.publish(stream.HealthStatus, event.NewStreamingHealth(event.Health{Status: status}))
	}
	publish(event.StatusStarting)
	publish(event.StatusDegraded)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	want := []event.Status{event.StatusDegraded, event.StatusHealthy}
	for health, err := range client.New(b.js).Health(ctx) {
		if err != nil || health.Status != want[0] {
			t.Fatalf("got %q, %v; want %q", health.Status, err, want[0])
		}
		if want = want[1:]; len(want) == 0 {
			return
		}
		publish(event.StatusHealthy)
	}
	t.Fatalf("the sequence ended: %v", ctx.Err())
}

func TestReplayGivesTypedTicks(t *testing.T) {
	b := newBed(t)
	for n := range 3 {
		payload := fmt.Sprintf(`{"type":"market_tick","symbol":"BRK.B","price":%d.25,"volume":10,"timestamp":%d}`, 100+n, minute.Add(time.Duration(n)*time.Second).Unix())
		b.publish(stream.TickSubject("BRK.B"), []byte(payload))
	}
	b.publish(stream.TickSubject("BRK.B"), []byte("no tick"))
	c := client.New(b.js)
	expect(t, take(t, 4, func(ctx context.Context) iter.Seq2[client.Tick, error] {
		return c.Replay(ctx, replay.Config{Symbols: []string{"BRK.B"}})
	}, func(tick client.Tick) string {
		return fmt.Sprintf("%s %s %s", tick.Symbol, tick.Price, tick.Time().Format(time.TimeOnly))
	}), "BRK.B 100.25 14:30:00", "BRK.B 101.25 14:30:01", "BRK.B 102.25 14:30:02", "error: true")
	for _, err := range c.Replay(t.Context(), replay.Config{Symbols: []string{"NONE"}}) {
		if !errors.Is(err, replay.ErrEmpty) {
			t.Errorf("an empty range gives %v", err)
		}
	}
}
