package observe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

func TestTicksAreCountedWithoutMarks(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{}, "AAPL", "BRK.B", "MSFT", "EUR/USD", "^SPX")
	began := time.Now()
	o.SetSession([]string{"AAPL", "BRK.B", "MSFT", "EUR/USD", "^SPX"}, began.Add(-time.Hour))
	if f := b.measure(o); f.TicksInErrorWindow != 0 || f.TicksPerSecond != 0 || !f.LastTickAt.IsZero() || !f.FirstTickAt.IsZero() || len(f.StaleSymbols) != 5 {
		t.Fatalf("before any tick: %+v", f)
	}

	b.mark(0)
	firstAt := b.tick("AAPL", 0)
	for i := range 20 {
		b.ticks(5, "BRK.B", "^SPX", "not of the universe")
		b.mark(i % 8)
		if i%7 == 0 {
			b.measure(o) // whenever measured, the count is the same
		}
	}
	lastAt := b.tick("^SPX", 0)
	b.mark(1)
	b.mark(2)
	b.measure(o)
	f := b.measure(o)
	if f.TicksInErrorWindow != 102 {
		t.Errorf("ticks in the window = %d, want 102", f.TicksInErrorWindow)
	}
	if !f.FirstTickAt.Equal(firstAt) || !f.LastTickAt.Equal(lastAt) {
		t.Errorf("first and last tick at %v and %v, want %v and %v", f.FirstTickAt, f.LastTickAt, firstAt, lastAt)
	}
	if f.ActiveSymbols != 3 || f.UniverseSize != 5 || !slices.Equal(f.StaleSymbols, []string{"MSFT", "EUR/USD"}) {
		t.Errorf("%d of %d active, stale %v", f.ActiveSymbols, f.UniverseSize, f.StaleSymbols)
	}
	// A feed that has just begun shows its own rate, not a tenth of it.
	if least := 102 / max(1, time.Since(began).Seconds()); f.TicksPerSecond < least || f.TicksPerSecond > 102 {
		t.Errorf("rate = %.1f/s, want %.1f to 102", f.TicksPerSecond, least)
	}
	if f.At.IsZero() || f.ClockOffset != 0 || len(f.MissingStreams) != 0 || f.ErrorWindow != time.Minute {
		t.Errorf("facts = %+v", f)
	}

	// One that starts now learns the same from the stream.
	fresh := b.observer(observe.Config{}, "AAPL")
	again := b.measure(fresh)
	if again.TicksInErrorWindow != 102 || again.TicksPerSecond < 102/max(1, time.Since(began).Seconds()) || !again.LastTickAt.Equal(lastAt) || again.ActiveSymbols != 1 {
		t.Errorf("measured by a new observer: %+v", again)
	}
}

func TestWindowsSlideWhileNothingComes(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{Interval: 100 * time.Millisecond, RateWindow: 2 * time.Second, ActiveWindow: 3 * time.Second, ErrorWindow: 3 * time.Second}, "AAPL")
	b.measure(o)
	b.ticks(10, "AAPL")
	if f := b.measure(o); f.TicksPerSecond == 0 || f.ActiveSymbols != 1 || f.TicksInErrorWindow != 10 {
		t.Fatalf("with ticks: %+v", f)
	}
	b.eventually("rate, activity and count to end", func() bool {
		f := b.measure(o)
		return f.TicksPerSecond == 0 && f.ActiveSymbols == 0 && f.TicksInErrorWindow == 0 && len(f.StaleSymbols) == 1
	})
	b.ticks(10, "AAPL")
	if f := b.measure(o); f.TicksPerSecond == 0 || f.ActiveSymbols != 1 || f.TicksInErrorWindow != 10 {
		t.Errorf("with ticks again: %+v", f)
	}

	// Another stream of the same name, which has come further than the old one.
	if err := b.js.DeleteStream(t.Context(), stream.Ticks); err != nil {
		t.Fatal(err)
	}
	b.ensure()
	b.ticks(25, "AAPL")
	if f := b.measure(o); f.TicksInErrorWindow != 25 {
		t.Errorf("in a stream made anew: %d ticks, want 25", f.TicksInErrorWindow)
	}
}

func TestIngestLagIsTheMedianOfTheNewest(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{})
	for symbol, age := range map[string]time.Duration{"A": 5 * time.Second, "B": 7 * time.Second, "C": time.Hour} {
		b.tick(symbol, time.Minute)
		b.tick(symbol, age)
	}
	if f := b.measure(o); f.IngestLag < 7*time.Second || f.IngestLag > 17*time.Second {
		t.Errorf("lag = %v, want that of B, 7s", f.IngestLag)
	}
	b.publish(stream.TickSubject("A"), "of a foreign hand")
	for _, symbol := range []string{"B", "C"} {
		b.tick(symbol, -50*time.Second) // an aggregate carries the end of its second
	}
	if f := b.measure(o); f.IngestLag != 0 {
		t.Errorf("lag of what is ahead of the clock = %v, want 0", f.IngestLag)
	}
}

func TestManySymbols(t *testing.T) {
	b := newBed(t)
	var universe []string
	for i := range 2500 {
		universe = append(universe, fmt.Sprintf("S.%d", i))
		if _, err := b.js.PublishAsync(stream.TickSubject(universe[i]), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	<-b.js.PublishAsyncComplete()
	o := b.observer(observe.Config{Timeout: patience}, append(universe, "missing")...)
	if f := b.measure(o); f.ActiveSymbols != 2500 || !slices.Equal(f.StaleSymbols, []string{"missing"}) {
		t.Errorf("%d active, stale %v", f.ActiveSymbols, f.StaleSymbols)
	}
	b.eventually("its consumer to be gone", func() bool {
		return b.stream(stream.Ticks).CachedInfo().State.Consumers == 0
	})
}

func TestOutageKeepsWhatWasMeasured(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{Interval: 100 * time.Millisecond, Timeout: time.Second}, "AAPL", "MSFT")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }() // ends with ctx
	o.SetSession([]string{"AAPL", "MSFT"}, time.Now().Add(-time.Minute))
	b.ticks(30, "AAPL")
	b.eventually("all to be measured", func() bool {
		f := o.Facts()
		return f.TicksInErrorWindow == 30 && f.ActiveSymbols == 1 && !f.FirstTickAt.IsZero()
	})

	b.nats.Stop()
	b.eventually("the outage to be seen", func() bool { return !o.Facts().JetStream.OK })
	was := o.Facts()
	if was.JetStream.Err == "" || was.JetStream.Since.IsZero() || was.TicksInErrorWindow != 30 || was.TicksPerSecond == 0 || was.ActiveSymbols != 1 || was.At.IsZero() {
		t.Errorf("in the outage: %+v", was)
	}
	if f, err := o.Measure(ctx); err == nil || f.JetStream.OK || !f.At.Equal(was.At) || !f.JetStream.Since.Equal(was.JetStream.Since) {
		t.Errorf("Measure in the outage = %+v, %v", f, err)
	}

	b.nats.Start()
	b.eventually("the end of the outage", func() bool {
		f := o.Facts()
		return f.JetStream.OK && f.At.After(was.At) && f.JetStream.Since.After(was.JetStream.Since) && f.JetStream.Err == ""
	})
	b.eventually("the same count after it", func() bool { return o.Facts().TicksInErrorWindow == 30 })

	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if f := o.Facts(); !f.JetStream.OK {
		t.Errorf("the end of Run counts as an outage: %+v", f.JetStream)
	}
}

func TestPurgeAndNewStream(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{}, "AAPL")
	b.measure(o)
	b.ticks(10, "AAPL")
	b.measure(o)
	if err := b.stream(stream.Ticks).Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := b.measure(o); f.TicksInErrorWindow != 10 || f.TicksPerSecond == 0 || f.ActiveSymbols != 1 {
		t.Errorf("after a purge: %+v", f)
	}
	b.ticks(5, "AAPL")
	if f := b.measure(o); f.TicksInErrorWindow != 15 {
		t.Errorf("after a purge and ticks: %d", f.TicksInErrorWindow)
	}
	if err := b.js.DeleteStream(t.Context(), stream.Ticks); err != nil {
		t.Fatal(err)
	}
	if f := b.measure(o); !slices.Equal(f.MissingStreams, []string{stream.Ticks}) || f.TicksPerSecond != 0 || f.LastTickAt.IsZero() {
		t.Errorf("without the stream: %+v", f)
	}
	b.ensure()
	b.ticks(3, "AAPL")
	if f := b.measure(o); f.TicksInErrorWindow != 3 || f.TicksPerSecond <= 0 || f.TicksPerSecond > 3 || len(f.MissingStreams) != 0 {
		t.Errorf("with the stream made anew: %+v", f)
	}
}

func TestMissingStreamsAreAFact(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{DetailInterval: time.Minute}, "AAPL")
	b.tick("AAPL", 0)
	b.measure(o) // while a symbol is active, details wait for their interval
	all := []string{stream.Bars, stream.Health, stream.Rejects, stream.Signals, stream.Ticks, stream.ComponentsBucket}
	for _, name := range all[:5] {
		if err := b.js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.js.DeleteKeyValue(t.Context(), stream.ComponentsBucket); err != nil {
		t.Fatal(err)
	}
	others := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == stream.Ticks })
	for i, step := range []struct {
		before func()
		want   []string
	}{
		{func() {}, []string{stream.Ticks}},
		{func() { o.SetSession([]string{"AAPL"}, time.Now()) }, all}, // a new session does not wait
		{func() {}, all},
		{b.ensure, others},
		{func() { o.SetSession([]string{"AAPL"}, time.Now()) }, nil},
	} {
		step.before()
		if f := b.measure(o); !slices.Equal(f.MissingStreams, step.want) {
			t.Errorf("step %d: missing %v, want %v", i, f.MissingStreams, step.want)
		}
	}
}

func TestPartThatFailsLeavesTheOthers(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{}, "AAPL")
	b.tick("AAPL", 0)
	direct := func(allowed bool) {
		t.Helper()
		cfg := b.stream(stream.Health).CachedInfo().Config
		cfg.AllowDirect = allowed
		if _, err := b.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	direct(false)
	f, err := o.Measure(t.Context())
	if err != nil || f.ActiveSymbols != 1 || len(f.Incomplete) != 1 || f.Incomplete[0].Part != "gaps" || f.Incomplete[0].Err == "" {
		t.Fatalf("facts = %+v, %v", f, err)
	}
	since := f.Incomplete[0].Since
	if f, err = o.Measure(t.Context()); err != nil || len(f.Incomplete) != 1 || !f.Incomplete[0].Since.Equal(since) {
		t.Errorf("measured again: %+v, %v, want it failing since %v", f.Incomplete, err, since)
	}
	direct(true)
	b.measure(o)
}

func TestMalformedReportIsCountedAndHidesNoOther(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{}, "AAPL")
	if _, err := b.components().Put(t.Context(), "bridge.b1", []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	b.report(presence.Report{Role: presence.RoleBridge, Instance: "b2"})
	f := b.measure(o)
	if len(f.Components) != 1 || f.Components[0].Instance != "b2" || !slices.Equal(f.MalformedReports, []string{"bridge.b1"}) {
		t.Errorf("components %+v, malformed %v", f.Components, f.MalformedReports)
	}
}

func TestUnreachableInWords(t *testing.T) {
	b := newBed(t)
	nc := b.nats.Connect()
	// Nobody answers below that prefix.
	js, err := jetstream.NewWithAPIPrefix(nc, "$JS.nowhere.API")
	if err != nil {
		t.Fatal(err)
	}
	for want, prepare := range map[string]func() jetstream.JetStream{
		"JetStream is off": func() jetstream.JetStream { return js },
		"no answer in time": func() jetstream.JetStream {
			if _, err := nc.Subscribe("$JS.mute.API.>", func(*nats.Msg) {}); err != nil {
				t.Fatal(err)
			}
			mute, err := jetstream.NewWithAPIPrefix(nc, "$JS.mute.API")
			if err != nil {
				t.Fatal(err)
			}
			return mute
		},
		"not connected": func() jetstream.JetStream {
			gone := b.nats.JetStream()
			gone.Conn().Close()
			return gone
		},
	} {
		o, err := observe.New(observe.Config{Timeout: 200 * time.Millisecond}, observe.Deps{JetStream: prepare(), Log: discard})
		if err != nil {
			t.Fatal(err)
		}
		f, err := o.Measure(t.Context())
		if err == nil || f.JetStream.OK || !strings.Contains(f.JetStream.Err, want) || !f.At.IsZero() {
			t.Errorf("facts = %+v, %v; want %q", f.JetStream, err, want)
		}
	}
}

func TestCancelledMeasurementConcludesNothing(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{}, "AAPL")
	was := b.measure(o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f, err := o.Measure(ctx); !errors.Is(err, context.Canceled) || !f.JetStream.OK || !f.At.Equal(was.At) {
		t.Errorf("Measure = %+v, %v", f, err)
	}
}

// interrupted runs something while a measurement is under way.
type interrupted struct {
	jetstream.JetStream
	by func()
}

func (i interrupted) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	i.by()
	return i.JetStream.Stream(ctx, name) //nolint:wrapcheck // it stands for the other
}

func TestSessionThatStartsDuringAMeasurement(t *testing.T) {
	b := newBed(t)
	b.tick("AAPL", 0)
	b.publish(stream.SignalSubject("pattern", "Doji", "AAPL"), "{}")
	by := func() {}
	o, err := observe.New(observe.Config{}, observe.Deps{JetStream: interrupted{b.js, func() { by() }}, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	o.SetSession([]string{"AAPL"}, time.Now().Add(-time.Minute))
	if f := b.measure(o); f.FirstTickAt.IsZero() || f.PatternsDetected != 1 {
		t.Fatalf("in the old session: %+v", f)
	}
	var once sync.Once
	by = func() { once.Do(func() { o.SetSession([]string{"MSFT", "IBM"}, time.Now()) }) }
	for range 2 {
		if f := b.measure(o); !f.FirstTickAt.IsZero() || f.PatternsDetected != 0 || f.UniverseSize != 2 || f.ActiveSymbols != 0 {
			t.Errorf("in the new session: %+v", f)
		}
	}
}

func TestObserverIsShared(t *testing.T) {
	b := newBed(t)
	o := b.observer(observe.Config{}, "AAPL")
	b.ticks(3, "AAPL", "MSFT")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 10 {
				o.SetSession([]string{"AAPL", "MSFT", "IBM"}[:1+i%3], time.Now().Add(-time.Hour))
				if f := o.Facts(); f.ActiveSymbols+len(f.StaleSymbols) != f.UniverseSize && !f.At.IsZero() {
					t.Errorf("%d active and %d stale of %d", f.ActiveSymbols, len(f.StaleSymbols), f.UniverseSize)
				}
				b.measure(o)
			}
		})
	}
	wg.Wait()
}

func TestConfigValidateNamesTheSetting(t *testing.T) {
	for _, c := range []struct {
		cfg  observe.Config
		says string
	}{
		{observe.Config{Interval: time.Minute}, "observation interval"},
		{observe.Config{DetailInterval: -1}, "detail interval"},
		{observe.Config{RateWindow: time.Second}, "rate window"},
		{observe.Config{ActiveWindow: 1}, "active window"},
		{observe.Config{ErrorWindow: -1}, "error window"},
		{observe.Config{Timeout: 1}, "observation timeout"},
	} {
		if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Validate(%+v) = %v, want it to name %s", c.cfg, err, c.says)
		}
	}
	if err := (observe.Config{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	if _, err := observe.New(observe.Config{}, observe.Deps{}); err == nil {
		t.Error("New without JetStream and a log must fail")
	}
}
