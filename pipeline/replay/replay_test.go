package replay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var quiet = slog.New(slog.DiscardHandler)

// ticksOf makes the streams and stores n ticks of three symbols, 100 ms of event
// time apart, with a clock mark after every tenth. It returns the payloads.
func ticksOf(t *testing.T, js jetstream.JetStream, n int) []string {
	t.Helper()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: 4}, quiet); err != nil {
		t.Fatalf("ensure streams: %v", err)
	}
	payloads := make([]string, n)
	for i := range payloads {
		symbol := []string{"AAPL", "BRK.B", "EUR/USD"}[i%3]
		at := float64(opening.UnixMilli()+int64(i)*100) / 1000
		payloads[i] = fmt.Sprintf(`{"type": "market_tick", "symbol": %q,  "price": %d.50, "volume": 1, "timestamp": %.3f}`, symbol, i+1, at)
		if _, err := js.PublishAsync(stream.TickSubject(symbol), []byte(payloads[i]), jetstream.WithStallWait(10*time.Second)); err != nil {
			t.Fatalf("publish tick: %v", err)
		}
		if i%10 == 9 {
			if _, err := js.PublishAsync(stream.ClockSubject(0), []byte(`{"type":"clock_mark"}`), jetstream.WithStallWait(10*time.Second)); err != nil {
				t.Fatalf("publish clock mark: %v", err)
			}
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(10 * time.Second):
		t.Fatal("ticks were not stored within 10s")
	}
	return payloads
}

// memory is a sink that keeps everything and can be told to fail or to stop.
type memory struct {
	written, delivered []replay.Message
	at                 []time.Time
	failAt             int // fail on the write with this number; 0: never
	onWrite            func(n int)
	flushErr           error
}

var errSink = errors.New("sink is full")

func (m *memory) Write(_ context.Context, msg replay.Message) error {
	if m.failAt > 0 && len(m.written)+1 == m.failAt {
		return errSink
	}
	m.written, m.at = append(m.written, msg), append(m.at, time.Now())
	if m.onWrite != nil {
		m.onWrite(len(m.written))
	}
	return nil
}

func (m *memory) Flush(context.Context) error {
	if m.flushErr == nil {
		m.delivered = slices.Clone(m.written)
	}
	return m.flushErr
}

func (m *memory) payloads() []string {
	var all []string
	for _, msg := range m.delivered {
		all = append(all, string(msg.Payload))
	}
	return all
}

func run(t *testing.T, js jetstream.JetStream, cfg replay.Config) (*memory, replay.Progress) {
	t.Helper()
	sink := &memory{}
	r, err := replay.New(cfg, js, sink, quiet)
	if err != nil {
		t.Fatalf("new replay: %v", err)
	}
	err = r.Run(t.Context())
	if empty := len(sink.delivered) == 0; errors.Is(err, replay.ErrEmpty) != empty || !empty && err != nil {
		t.Fatalf("run gave %d ticks and the error %v", len(sink.delivered), err)
	}
	return sink, r.Progress()
}

func TestReplayGivesBytesInOrder(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	payloads := ticksOf(t, js, 300) // 330 messages with the clock marks
	only := func(symbol string) (some []string) {
		for _, p := range payloads {
			if strings.Contains(p, symbol) {
				some = append(some, p)
			}
		}
		return some
	}
	for name, c := range map[string]struct {
		cfg  replay.Config
		want []string
	}{
		"everything":           {replay.Config{}, payloads},
		"from a sequence":      {replay.Config{FromSeq: 12}, payloads[10:]},
		"to a sequence":        {replay.Config{ToSeq: 12}, payloads[:11]},
		"one message":          {replay.Config{FromSeq: 1, ToSeq: 1}, payloads[:1]},
		"a clock mark only":    {replay.Config{FromSeq: 11, ToSeq: 11}, nil},
		"to beyond the end":    {replay.Config{FromSeq: 320, ToSeq: 9999}, payloads[290:]},
		"one symbol":           {replay.Config{Symbols: []string{"BRK.B"}}, only("BRK.B")},
		"two symbols":          {replay.Config{Symbols: []string{"BRK.B", "EUR/USD"}}, slices.DeleteFunc(slices.Clone(payloads), func(p string) bool { return strings.Contains(p, "AAPL") })},
		"a symbol not there":   {replay.Config{Symbols: []string{"MSFT"}}, nil},
		"from long ago":        {replay.Config{From: time.Now().Add(-time.Hour)}, payloads},
		"until long ago":       {replay.Config{To: time.Now().Add(-time.Hour)}, nil},
		"from the future":      {replay.Config{From: time.Now().Add(time.Hour)}, nil},
		"until now":            {replay.Config{To: time.Now().Add(time.Minute)}, payloads},
		"very fast, but paced": {replay.Config{Speed: 1e6}, payloads},
	} {
		t.Run(name, func(t *testing.T) {
			sink, progress := run(t, js, c.cfg)
			if got := sink.payloads(); !slices.Equal(got, c.want) {
				t.Errorf("%d ticks, want %d\n got %.200q\nwant %.200q", len(got), len(c.want), got, c.want)
			}
			if !progress.Done || progress.Ticks != int64(len(c.want)) || progress.Next != progress.Last+1 {
				t.Errorf("progress is %+v", progress)
			}
		})
	}
}

func TestReplayTellsOfEachTick(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ticksOf(t, js, 3)
	sink, _ := run(t, js, replay.Config{})
	for i, want := range []string{"AAPL", "BRK.B", "EUR/USD"} {
		m := sink.delivered[i]
		if m.Symbol != want || m.Sequence != uint64(i+1) || time.Since(m.StoredAt) > time.Minute {
			t.Errorf("tick %d is %s, sequence %d, stored at %v", i, m.Symbol, m.Sequence, m.StoredAt)
		}
	}
}

func TestReplayFromAMoment(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	first := ticksOf(t, js, 5)
	ticks, err := js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	last, err := ticks.GetMsg(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	second := ticksOf(t, js, 7)
	sink, _ := run(t, js, replay.Config{From: last.Time.Add(1)})
	if !slices.Equal(sink.payloads(), second) {
		t.Errorf("got %d ticks, want the second %d", len(sink.delivered), len(second))
	}
	sink, _ = run(t, js, replay.Config{To: last.Time})
	if !slices.Equal(sink.payloads(), first) {
		t.Errorf("got %d ticks, want the first %d", len(sink.delivered), len(first))
	}
}

// Ticks are 100 ms apart, so at ten times the speed they are 10 ms apart.
func TestReplaySpacesByEventTime(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	payloads := ticksOf(t, js, 20)
	sink, _ := run(t, js, replay.Config{Speed: 10})
	if !slices.Equal(sink.payloads(), payloads) {
		t.Fatalf("got %d ticks, want %d", len(sink.delivered), len(payloads))
	}
	for i, at := range sink.at {
		due := time.Duration(i) * 10 * time.Millisecond
		if since := at.Sub(sink.at[0]); since < due-2*time.Millisecond {
			t.Errorf("tick %d came after %v, due after %v", i, since, due)
		}
	}
}

func TestInterruptedReplayGoesOn(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	payloads := ticksOf(t, js, 100)
	for _, speed := range []float64{0, 20} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		sink := &memory{onWrite: func(n int) {
			if n == 37 {
				cancel()
			}
		}}
		r, err := replay.New(replay.Config{Speed: speed}, js, sink, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(ctx); err != nil {
			t.Fatalf("speed %v: run: %v", speed, err)
		}
		progress := r.Progress()
		if progress.Done || progress.Next == 0 {
			t.Fatalf("speed %v: progress is %+v", speed, progress)
		}
		rest, _ := run(t, js, replay.Config{FromSeq: progress.Next})
		if got := append(sink.payloads(), rest.payloads()...); !slices.Equal(got, payloads) {
			t.Errorf("speed %v: %d ticks before and %d after make %d, want %d in order", speed, len(sink.delivered), len(rest.delivered), len(got), len(payloads))
		}
	}
}

func TestFailingSinkEndsReplay(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ticksOf(t, js, 100)
	for name, c := range map[string]struct {
		sink *memory
		want uint64
	}{
		"write": {&memory{failAt: 50}, 54}, // 49 ticks and 4 clock marks are before it
		"flush": {&memory{flushErr: errSink}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := replay.New(replay.Config{}, js, c.sink, quiet)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Run(t.Context()); !errors.Is(err, errSink) {
				t.Errorf("error is %v", err)
			}
			if p := r.Progress(); p.Done || p.Next != c.want {
				t.Errorf("progress is %+v, want to go on with %d", p, c.want)
			}
		})
	}
}

func TestReplayOfNothingSaysSo(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	r, err := replay.New(replay.Config{}, js, &memory{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("without a stream: error is %v", err)
	}
	ticksOf(t, js, 0)
	if err := r.Run(t.Context()); !errors.Is(err, replay.ErrEmpty) {
		t.Errorf("with an empty stream: error is %v", err)
	}
	ticksOf(t, js, 3)
	if r, err = replay.New(replay.Config{FromSeq: 4}, js, &memory{}, quiet); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, replay.ErrEmpty) {
		t.Errorf("beyond the end: error is %v", err)
	}
}

// The server goes away in the middle and comes back: nothing is missing and
// nothing comes twice.
func TestReplaySurvivesARestartOfNATS(t *testing.T) {
	n := testbed.StartNATS(t)
	js := n.JetStream()
	payloads := ticksOf(t, js, 15_000)
	restarted := false
	sink := &memory{}
	sink.onWrite = func(written int) {
		if written == 2000 && !restarted {
			restarted = true
			n.Stop()
			n.Start()
		}
	}
	r, err := replay.New(replay.Config{}, js, sink, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatalf("run: %v", err)
	}
	if got := sink.payloads(); !slices.Equal(got, payloads) {
		t.Errorf("got %d ticks, want %d in order", len(got), len(payloads))
	}
}

func TestReplayEndsWithContextWhileNATSIsAway(t *testing.T) {
	n := testbed.StartNATS(t)
	js := n.JetStream()
	ticksOf(t, js, 15_000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sink := &memory{}
	sink.onWrite = func(written int) {
		if written == 2000 {
			n.Stop()
			time.AfterFunc(300*time.Millisecond, cancel)
		}
	}
	r, err := replay.New(replay.Config{}, js, sink, quiet)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("run has not returned 15s after its context should have ended")
	}
	// A clock mark lies behind each tenth tick; the last may not be read yet.
	p := r.Progress()
	ticks := uint64(p.Ticks)
	if p.Done || p.Next < ticks+(ticks-1)/10+1 || p.Next > ticks+ticks/10+1 {
		t.Errorf("progress is %+v", p)
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	now := time.Now()
	for want, cfg := range map[string]replay.Config{
		"from is given as a time and as a sequence":                      {From: now, FromSeq: 1},
		"to is given as a time and as a sequence":                        {To: now, ToSeq: 1},
		"no tick in that range: to is before from":                       {From: now, To: now.Add(-1)},
		"no tick in that range: to sequence 1 is before from sequence 2": {FromSeq: 2, ToSeq: 1},
		"speed is -1":       {Speed: -1},
		"a symbol is empty": {Symbols: []string{""}},
	} {
		if _, err := replay.New(cfg, nil, nil, quiet); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
	}
}
