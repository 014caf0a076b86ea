package observe_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

var discard = slog.New(slog.DiscardHandler)

func TestConsumersAreMeasuredAtTheServer(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{})
	add := func(cfg jetstream.ConsumerConfig) jetstream.Consumer {
		t.Helper()
		cfg.AckPolicy = jetstream.AckExplicitPolicy
		c, err := b.js.CreateConsumer(t.Context(), stream.Ticks, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	reader := add(jetstream.ConsumerConfig{Durable: "pipeline", FilterSubject: stream.AllTicks})
	add(jetstream.ConsumerConfig{Durable: "pipeline-marks", FilterSubject: stream.PartitionFilter(3)})
	add(jetstream.ConsumerConfig{Durable: "someone-else"})
	add(jetstream.ConsumerConfig{Name: "pipeline-passing"})
	if f := b.measure(o); len(f.Consumers) != 2 || f.Consumers[0] != (observe.Consumer{Name: "pipeline"}) || f.Consumers[1] != (observe.Consumer{Name: "pipeline-marks"}) {
		t.Fatalf("with nothing to do: %+v", f.Consumers)
	}

	b.mark(0) // not for the first of them
	oldest := b.tick("AAPL", 0)
	b.tick("AAPL", 0)
	third := b.tick("AAPL", 0)
	b.tick("AAPL", 0)
	b.mark(3)
	batch, err := reader.Fetch(2)
	if err != nil {
		t.Fatal(err)
	}
	var delivered []jetstream.Msg
	for msg := range batch.Messages() {
		delivered = append(delivered, msg)
	}
	f := b.measure(o)
	if c := f.Consumers[0]; c.Pending != 4 || c.Lag != f.At.Sub(oldest) {
		t.Errorf("with 2 of 4 delivered: %+v, want 4 pending and a lag of %v", c, f.At.Sub(oldest))
	}
	if c := f.Consumers[1]; c.Pending == 0 || c.Lag <= 0 {
		t.Errorf("with a mark waiting: %+v", c)
	}
	for _, msg := range delivered {
		if err := msg.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f = b.measure(o)
	if c := f.Consumers[0]; c.Pending != 2 || c.Lag != f.At.Sub(third) {
		t.Errorf("with 2 of 4 acknowledged: %+v, want 2 pending and a lag of %v", c, f.At.Sub(third))
	}
}

func TestRejectsAndGapsInTheWindow(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{Interval: 100 * time.Millisecond, RateWindow: time.Second, ErrorWindow: 5 * time.Second})
	for reason, n := range map[string]int{"not_json": 3, "price_missing": 2} {
		for range n {
			b.publish(stream.RejectSubject(reason), "x")
		}
	}
	for _, d := range []time.Duration{time.Second, 3 * time.Second} {
		gap, err := json.Marshal(event.NewGap("b1", "ticks", time.Now().Add(-d), time.Now(), "cut"))
		if err != nil {
			t.Fatal(err)
		}
		b.publish(stream.HealthGap, string(gap))
	}
	b.publish(stream.HealthStatus, "{}")
	f := b.measure(o)
	if f.RejectsInWindow != 5 || !maps.Equal(f.RejectReasons, map[string]int64{"not_json": 3, "price_missing": 2}) {
		t.Errorf("rejects = %d %v", f.RejectsInWindow, f.RejectReasons)
	}
	if f.GapsInWindow != 2 || f.GapTime.Round(100*time.Millisecond) != 4*time.Second {
		t.Errorf("gaps = %d, %v", f.GapsInWindow, f.GapTime)
	}
	b.eventually("both to pass", func() bool {
		f := b.measure(o)
		return f.RejectsInWindow == 0 && len(f.RejectReasons) == 0 && f.GapsInWindow == 0 && f.GapTime == 0
	})
}

func TestBarsPerMinute(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{})
	// Counting goes from half minute to half minute.
	b.eventually("no half minute to come", func() bool { return (time.Now().Second()+30)%60 < 55 })
	for _, symbol := range []string{"AAPL", "BRK.B", "MSFT"} {
		b.publish(stream.BarSubject("1min", symbol), "{}")
	}
	if f := b.measure(o); f.BarsPerMinute != 3 {
		t.Errorf("bars per minute = %v, want 3", f.BarsPerMinute)
	}
}

func TestSignalsAreCountedBySession(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{}, "AAPL")
	old := b.publish(stream.SignalSubject("pattern", "Doji", "AAPL"), "{}")
	tick := b.tick("AAPL", 0)
	started := old.Add(time.Nanosecond)
	o.SetSession([]string{"AAPL"}, started)
	for range 2 {
		b.publish(stream.SignalSubject("pattern", "Doji", "BRK.B"), "{}")
	}
	for range 3 {
		b.publish(stream.SignalSubject("indicator", "SMA_20", "AAPL"), "{}")
	}
	b.publish(stream.SignalSubject("alert", "RSI_OVERSOLD", "AAPL"), "{}")
	if f := b.measure(o); f.PatternsDetected != 2 || f.IndicatorsCalculated != 3 || !f.FirstTickAt.Equal(tick) {
		t.Errorf("in the session: %+v", f)
	}
	o.SetSession([]string{"AAPL", "MSFT"}, time.Now())
	if f := o.Facts(); f.PatternsDetected != 0 || f.IndicatorsCalculated != 0 || !f.FirstTickAt.IsZero() || f.UniverseSize != 2 || f.ActiveSymbols != 1 {
		t.Errorf("in a new session, before a measurement: %+v", f)
	}
	if f := b.measure(o); f.PatternsDetected != 0 || f.IndicatorsCalculated != 0 || !f.FirstTickAt.IsZero() {
		t.Errorf("in a new session: %+v", f)
	}
	o.SetSession([]string{"AAPL"}, old)
	if f := b.measure(o); f.PatternsDetected != 3 || !f.FirstTickAt.Equal(tick) {
		t.Errorf("in a session from before: %+v", f)
	}
	o.SetSession([]string{"AAPL"}, time.Time{})
	if f := b.measure(o); f.PatternsDetected != 0 || !f.FirstTickAt.IsZero() {
		t.Errorf("without a session: %+v", f)
	}
}

func TestComponents(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{Interval: 100 * time.Millisecond, RateWindow: time.Second, ErrorWindow: 2 * time.Second})
	now := time.Now()
	report := func(instance string, startedAt time.Time, shed int64) {
		b.report(presence.Report{
			Role: presence.RoleBridge, Instance: instance, StartedAt: startedAt, ReportedAt: now,
			Bridge: &presence.Bridge{Shed: shed},
		})
	}
	report("old", now.Add(-time.Hour), 1000) // shed who knows when
	report("new", time.Now(), 3)
	b.report(presence.Report{Role: presence.RolePipeline, Instance: "p", ReportedAt: now.Add(-time.Hour)})
	f := b.measure(o)
	last := f.LastReports[presence.RolePipeline] // by the server's clock, not by its own
	if len(f.Components) != 3 || f.ShedInWindow != 3 || f.LastReports[presence.RoleBridge].Before(now) || last.Before(now) {
		t.Fatalf("facts = %+v", f)
	}
	report("old", now.Add(-time.Hour), 1010)
	if err := b.components().Purge(t.Context(), "pipeline.p"); err != nil {
		t.Fatal(err)
	}
	if f = b.measure(o); len(f.Components) != 2 || f.ShedInWindow < 10 || !f.LastReports[presence.RolePipeline].Equal(last) {
		t.Errorf("with the pipeline gone: %+v", f)
	}
	b.eventually("what was shed to pass", func() bool { return b.measure(o).ShedInWindow == 0 })
}
