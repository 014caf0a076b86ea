package egress_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/bridge/egress"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

var quiet = slog.New(slog.DiscardHandler)

// bed is a NATS with the streams, and a Redis with an AppV2 that listens.
type bed struct {
	*testing.T
	nats   *testbed.NATS
	redis  *testbed.Redis
	js     jetstream.JetStream
	mu     sync.Mutex
	events map[string][]string // by channel
	order  []string            // the channels of all events
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := newBareBed(t)
	b.ensure()
	return b
}

// newBareBed is newBed without the streams.
func newBareBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, nats: testbed.StartNATS(t), redis: testbed.StartRedis(t), events: map[string][]string{}}
	b.js = b.nats.JetStream()
	c := b.redis.Channels
	appV2 := b.redis.Client().Subscribe(t.Context(), c.Patterns, c.PatternsHigh, c.PatternEvents, c.Indicators, c.AlertsIndicator, c.Persistence, c.Errors)
	t.Cleanup(func() { _ = appV2.Close() })
	for range 7 {
		if _, err := appV2.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	go func() { // ends with the subscription
		for msg := range appV2.Channel(redis.WithChannelSize(100000)) {
			b.mu.Lock()
			b.events[msg.Channel] = append(b.events[msg.Channel], msg.Payload)
			b.order = append(b.order, msg.Channel)
			b.mu.Unlock()
		}
	}()
	return b
}

func (b *bed) ensure() {
	b.Helper()
	if _, err := stream.Ensure(b.Context(), b.js, stream.Config{}, quiet); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) on(channel string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.events[channel]...)
}

// start runs an egress and returns it with what stops it.
func (b *bed) start(cfg egress.Config, client redis.UniversalClient) (*egress.Egress, func()) {
	b.Helper()
	return b.startOn(cfg, client, b.nats.Connect())
}

// startOn is start on a connection to NATS of the test's own.
func (b *bed) startOn(cfg egress.Config, client redis.UniversalClient, nc *nats.Conn) (*egress.Egress, func()) {
	b.Helper()
	if cfg.Channels == (event.Channels{}) {
		cfg.Channels = b.redis.Channels
	}
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	e, err := egress.New(cfg, client, nc, js, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }() // ends with stop
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(stop)
	return e, stop
}

func (b *bed) active(e *egress.Egress) {
	b.Helper()
	testbed.Eventually(b, 10*time.Second, "the egress has its consumers", func(ctx context.Context) bool {
		for name, of := range map[string]string{"egress_indicators": stream.Signals, "egress_patterns": stream.Signals, "egress_alerts": stream.Signals, "egress_errors": stream.Rejects} {
			if _, err := b.js.Consumer(ctx, of, name); err != nil {
				return false
			}
		}
		return e.Report().Active
	})
}

func key(symbol string, age time.Duration) event.BarKey {
	end := time.Now().Add(-age).Truncate(time.Minute)
	return event.BarKey{Symbol: symbol, Timeframe: "1min", Start: event.At(end.Add(-time.Minute)), End: event.At(end)}
}

func (b *bed) publish(kind, name, symbol string, value any) {
	b.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.js.Publish(b.Context(), stream.SignalSubject(kind, name, symbol), data); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) indicator(symbol string, value float64, age time.Duration) {
	b.Helper()
	b.publish(event.KindIndicator, "RSI", symbol, rsi(symbol, value, age))
}

func rsi(symbol string, value float64, age time.Duration) event.Indicator {
	return event.Indicator{
		Type: "indicator", Indicator: "RSI", BarKey: key(symbol, age), Value: value,
		Values: map[string]float64{"value": value}, Parameters: map[string]any{"period": 14}, SessionID: "s",
	}
}

func (b *bed) pattern(name string, confidence float64, withdrawn bool) {
	b.Helper()
	p := event.Pattern{Type: "pattern", Pattern: name, BarKey: key("BRK.B", 0), Score: 100, Confidence: confidence, Direction: "bullish", Open: tick.One, High: 3 * tick.One, Low: tick.One / 2, Close: 2 * tick.One, Withdrawn: withdrawn}
	p.Volume.Add(25 * tick.One / 10)
	b.publish(event.KindPattern, stream.PatternToken(name), "BRK.B", p)
}

func TestEachKindArrivesAsAppV2ReadsIt(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one", PatternEvents: true}, b.redis.Client())
	b.active(e)
	c := b.redis.Channels
	for i := range 300 {
		b.indicator("^SPX", float64(i), 0)
	}
	b.pattern("Doji", 0.79, false)
	b.pattern("Bullish Engulfing", 0.8, false)
	b.pattern("Hammer", 0.9, true)
	b.publish(event.KindAlert, "RSI_OVERBOUGHT", "AAPL", event.IndicatorAlert{
		Type: "indicator_alert", Alert: "RSI_OVERBOUGHT", BarKey: key("AAPL", 0), Indicator: "RSI", Value: 75.2, Threshold: 70, Direction: "above", Severity: "warning",
	})
	confirmation, err := json.Marshal(event.NewPersistence("s", "ohlcv_1min", 3, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		msg := nats.NewMsg(stream.RejectSubject("not_json"))
		msg.Header.Set(event.HeaderRejectReason, "not_json")
		msg.Header.Set(event.HeaderRejectDetail, fmt.Sprint("fault ", i))
		if _, err := b.js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	nc := b.nats.Connect()
	testbed.Eventually(t, 10*time.Second, "all kinds arrive", func(context.Context) bool {
		if len(b.on(c.Persistence)) == 0 {
			if err := nc.Publish(stream.Persistence, confirmation); err != nil {
				t.Error(err)
			}
		}
		return len(b.on(c.Indicators)) == 300 && len(b.on(c.Patterns)) == 2 && len(b.on(c.PatternsHigh)) == 1 && len(b.on(c.PatternEvents)) == 2 &&
			len(b.on(c.AlertsIndicator)) == 1 && len(b.on(c.Persistence)) > 0 && told(b.on(c.Errors)) == 50
	})
	for channel, name := range map[string]string{
		c.Indicators: schema.StreamingIndicator, c.Patterns: schema.StreamingPattern, c.PatternsHigh: schema.StreamingPattern,
		c.AlertsIndicator: schema.IndicatorAlert, c.Persistence: schema.Persistence, c.Errors: schema.Error,
		c.PatternEvents: schema.PatternEvent,
	} {
		for _, payload := range b.on(channel) {
			testbed.CheckEvent(t, name, []byte(payload))
		}
	}
	for i, payload := range b.on(c.Indicators) {
		var got event.StreamingIndicator
		if err := json.Unmarshal([]byte(payload), &got); err != nil || got.Calculation.Value != float64(i) {
			t.Fatalf("event %d is %s", i, payload)
		}
	}
	var alert struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(b.on(c.AlertsIndicator)[0]), &alert); err != nil || alert.Data["rsi"] != 75.2 {
		t.Errorf("the alert does not tell the value under the indicator's name: %v", alert)
	}
	if n := len(b.on(c.Errors)); n > 5 {
		t.Errorf("%d error events of one reason within a moment", n)
	}
	if channel := e.Report().Channels[c.Indicators]; channel.Published != 300 || channel.Receivers != 1 || channel.Unheard != 0 {
		t.Errorf("counted %+v", channel)
	}
}

// told is how many rejects the error events stand for.
func told(events []string) int {
	sum := 0
	for _, payload := range events {
		var e event.Error
		var n int
		if json.Unmarshal([]byte(payload), &e) == nil {
			if _, err := fmt.Sscanf(e.Message, "%d refused", &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}

func TestOldResultsAreCountedAndNotSent(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one", MaxAge: 10 * time.Minute}, b.redis.Client())
	b.active(e)
	b.indicator("A", 1, time.Hour)
	b.indicator("A", 2, 0)
	testbed.Eventually(t, 10*time.Second, "the new one arrives", func(context.Context) bool { return len(b.on(b.redis.Channels.Indicators)) > 0 })
	if n := e.Report().TooOld; n != 1 || len(b.on(b.redis.Channels.Indicators)) != 1 {
		t.Errorf("%d counted as too old, %v sent", n, b.on(b.redis.Channels.Indicators))
	}
}

// While Redis is away nothing is acknowledged; it all arrives afterwards, in
// order, and alerts do not wait for what is behind indicators.
func TestResultsOutliveRedis(t *testing.T) {
	b := newBed(t)
	options, err := redis.ParseURL(b.redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := testbed.StartProxy(t, options.Addr)
	options.Addr = proxy.Addr()
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	e, _ := b.start(egress.Config{Instance: "one"}, client)
	b.active(e)
	b.indicator("A", 0, 0)
	testbed.Eventually(t, 10*time.Second, "the first arrives", func(context.Context) bool { return len(b.on(b.redis.Channels.Indicators)) == 1 })
	proxy.Cut()
	for i := 1; i <= 20; i++ {
		b.indicator("A", float64(i), 0)
	}
	testbed.Eventually(t, 10*time.Second, "it tries in vain", func(context.Context) bool { return e.Report().Failures > 0 })
	proxy.Restore()
	testbed.Eventually(t, 20*time.Second, "all arrive", func(context.Context) bool {
		events := b.on(b.redis.Channels.Indicators)
		var last event.StreamingIndicator
		return json.Unmarshal([]byte(events[len(events)-1]), &last) == nil && last.Calculation.Value == 20
	})
	highest := -1.0
	seen := map[float64]bool{}
	for _, payload := range b.on(b.redis.Channels.Indicators) {
		var got event.StreamingIndicator
		if err := json.Unmarshal([]byte(payload), &got); err != nil {
			t.Fatal(err)
		}
		if !seen[got.Calculation.Value] && got.Calculation.Value < highest {
			t.Errorf("%v came first behind %v", got.Calculation.Value, highest)
		}
		seen[got.Calculation.Value] = true
		highest = max(highest, got.Calculation.Value)
	}
	if len(seen) != 21 {
		t.Errorf("%d of 21 arrived", len(seen))
	}
}

// A second egress sends nothing while the first leads, and goes on where it
// was when it ends or is cut off.
func TestOneSendsAndAnotherTakesOver(t *testing.T) {
	b := newBed(t)
	first, stop := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(first)
	second, _ := b.start(egress.Config{Instance: "two"}, b.redis.Client())
	for i := range 50 {
		b.indicator("A", float64(i), 0)
	}
	testbed.Eventually(t, 10*time.Second, "the first sends", func(context.Context) bool { return len(b.on(b.redis.Channels.Indicators)) == 50 })
	if second.Report().Active {
		t.Error("both are active")
	}
	stop()
	for i := 50; i < 100; i++ {
		b.indicator("A", float64(i), 0)
	}
	testbed.Eventually(t, 10*time.Second, "the second goes on", func(context.Context) bool { return len(b.on(b.redis.Channels.Indicators)) >= 100 })
	for i, payload := range b.on(b.redis.Channels.Indicators) {
		var got event.StreamingIndicator
		if err := json.Unmarshal([]byte(payload), &got); err != nil || got.Calculation.Value != float64(i) {
			t.Fatalf("event %d is %s", i, payload)
		}
	}
}
