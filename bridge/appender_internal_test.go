package bridge

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var quiet = slog.New(slog.DiscardHandler)

// ticks are n messages with ids that begin with prefix.
func ticks(prefix string, n int) []*nats.Msg {
	msgs := make([]*nats.Msg, n)
	for i := range msgs {
		msgs[i] = nats.NewMsg(stream.TickSubject("S" + strconv.Itoa(i%500)))
		msgs[i].Data = make([]byte, 110)
		msgs[i].Header.Set(nats.MsgIdHdr, prefix+strconv.Itoa(i))
	}
	return msgs
}

// ensured is a JetStream with our streams, whose duplicate window is as short
// as it may be so that nothing rests on it.
func ensured(t *testing.T, js jetstream.JetStream) jetstream.JetStream {
	t.Helper()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{DuplicateWindow: time.Second}, quiet); err != nil {
		t.Fatalf("ensure streams: %v", err)
	}
	return js
}

func testAppender(js jetstream.JetStream, durability Durability) *appender {
	cfg := Config{Durability: durability, PublishTimeout: 2 * time.Second}
	return newAppender(js, stream.Ticks, cfg, always, func(context.Context) error { return errors.New("not to be made") }, true, quiet)
}

// always admits.
func always(context.Context, int64) error { return nil }

func ticksState(t *testing.T, js jetstream.JetStream) jetstream.StreamState {
	t.Helper()
	info, err := streamInfo(t.Context(), js, stream.Ticks, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return info.State
}

// deliver attempts to deliver msgs as if their outcome were unknown.
func (a *appender) deliver(t *testing.T, msgs []*nats.Msg) {
	t.Helper()
	if err := a.attempt(t.Context(), 0, &delivery{msgs: msgs, since: time.Now(), unsure: true}); err != nil {
		t.Fatalf("attempt: %v", err)
	}
}

func TestAppenderStoresWhatIsMissingAfterARollback(t *testing.T) {
	for _, durability := range []Durability{ProcessSafe, PowerSafe} {
		t.Run(string(durability), func(t *testing.T) {
			js := ensured(t, testbed.StartNATS(t).JetStream())
			a := testAppender(js, durability)
			if err := a.append(t.Context(), 0, ticks("first.", 3000), time.Now(), false); err != nil {
				t.Fatal(err)
			}
			// Of the second batch 400 got in, and by a power cut the stream had
			// lost what was acknowledged last before that.
			second := ticks("second.", 1000)
			if err := testAppender(js, durability).append(t.Context(), 0, ticks("second.", 400), time.Now(), false); err != nil {
				t.Fatal(err)
			}
			a.last.seq += 200 // beyond which only 200 of the 400 are
			a.deliver(t, second)
			if state := ticksState(t, js); state.LastSeq != 4000 {
				t.Errorf("TICKS ends at %d, want the 600 that were missing stored once", state.LastSeq)
			}
		})
	}
}

func TestAppenderStepsOverADeletedEnd(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	a := testAppender(js, ProcessSafe)
	if err := a.append(t.Context(), 0, ticks("a", 10), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(t.Context(), stream.TickSubject("X"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), ack.Sequence); err != nil {
		t.Fatal(err)
	}
	a.deliver(t, ticks("b", 10))
	if state := ticksState(t, js); state.Msgs != 20 {
		t.Errorf("TICKS holds %d messages, want 20", state.Msgs)
	}
}

// A purge forgets messages, but not their ids: the server calls them
// duplicates, and no look into the stream finds them.
func TestAppenderTakesRememberedIDsAsStored(t *testing.T) {
	for _, durability := range []Durability{ProcessSafe, PowerSafe} {
		t.Run(string(durability), func(t *testing.T) {
			js := testbed.StartNATS(t).JetStream()
			if _, err := stream.Ensure(t.Context(), js, stream.Config{DuplicateWindow: time.Hour}, quiet); err != nil {
				t.Fatal(err)
			}
			a := testAppender(js, durability)
			if err := a.append(t.Context(), 0, ticks("a", 10), time.Now(), false); err != nil {
				t.Fatal(err)
			}
			s, err := js.Stream(t.Context(), stream.Ticks)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			a.deliver(t, ticks("a", 20))
			if state := ticksState(t, js); state.Msgs != 10 {
				t.Errorf("TICKS holds %d messages, want the 10 that are new", state.Msgs)
			}
		})
	}
}

func TestSearchBeginsWhereItCan(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	if err := testAppender(js, ProcessSafe).append(t.Context(), 0, ticks("old.", shortTail+10), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	between := time.Now()
	if err := testAppender(js, ProcessSafe).append(t.Context(), 0, ticks("new.", 5), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	info, err := streamInfo(t.Context(), js, stream.Ticks, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	const firstNew = shortTail + 11
	for name, c := range map[string]struct {
		behind place
		since  time.Time
		want   uint64
	}{
		"behind the last acknowledged":  {place{info.Created, 9000, "old.8999"}, between, 9001},
		"behind an unknown message":     {place{info.Created, 9000, ""}, between, 9001},
		"not behind a long tail":        {place{info.Created, 1, "old.0"}, between, firstNew},
		"the place holds another":       {place{info.Created, 9000, "other"}, between, firstNew},
		"the place is past the end":     {place{info.Created, 99_000, "x"}, between, firstNew},
		"another stream of the name":    {place{info.Created.Add(-1), 9000, "old.8999"}, between, firstNew},
		"nothing is so new":             {place{}, time.Now().Add(time.Hour), firstNew + 5},
		"all may be what is looked for": {place{}, between.Add(-time.Hour), 1},
	} {
		s := newSearch(js, stream.Ticks, 5*time.Second, c.since.Add(clockSkew), c.behind, nil)
		if got, err := s.begin(t.Context(), info); err != nil || got != c.want {
			t.Errorf("%s: begins at %d, %v, want %d", name, got, err, c.want)
		}
	}
}

// A way too long for one attempt is gone in several.
func TestSearchKeepsItsProgress(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	if err := testAppender(js, ProcessSafe).append(t.Context(), 0, ticks("a", 60_000), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	s := newSearch(js, stream.Ticks, 5*time.Second, time.Now(), place{}, []string{"a7", "a59999", "b"})
	testbed.Eventually(t, 30*time.Second, "the end", func(context.Context) bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		before := s.next
		err := s.run(ctx)
		if s.next < before {
			t.Fatalf("went back from %d to %d", before, s.next)
		}
		return err == nil
	})
	if !s.found["a7"] || !s.found["a59999"] || s.found["b"] {
		t.Errorf("found %v", s.found)
	}
}

func TestSearchSaysWhenItsTimeIsOver(t *testing.T) {
	js := ensured(t, testbed.StartNATS(t).JetStream())
	if err := testAppender(js, ProcessSafe).append(t.Context(), 0, ticks("a", 10), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	s := newSearch(js, stream.Ticks, 5*time.Second, time.Now(), place{}, nil)
	s.next = 1
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.readOn(ctx, 10); !errors.Is(err, context.Canceled) || s.next != 1 {
		t.Errorf("readOn = %v at %d, want the end of its context", err, s.next)
	}
}

func TestFailedBatchesLeaveNoSubscriptions(t *testing.T) {
	n := testbed.StartNATS(t)
	ensured(t, n.JetStream())
	wire := testbed.NewWire()
	nc := n.Connect(nats.SetCustomDialer(wire))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	a := testAppender(js, ProcessSafe)
	a.timeout = 100 * time.Millisecond
	if err := a.append(t.Context(), 0, ticks("w", 10), time.Now(), false); err != nil {
		t.Fatal(err)
	}
	before := nc.NumSubscriptions()
	for k := range 4 {
		wire.Mute()
		failed := a.retries.Load()
		done := make(chan error, 1)
		go func() { done <- a.append(t.Context(), 0, ticks("k"+strconv.Itoa(k)+".", 9000), time.Now(), false) }()
		testbed.Eventually(t, 10*time.Second, "failed batches", func(context.Context) bool { return a.retries.Load() > failed+1 })
		wire.Cut()
		wire.Unmute()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if after := nc.NumSubscriptions(); after > before {
		t.Errorf("%d subscriptions after failed batches, %d before", after, before)
	}
	if state := ticksState(t, js); state.Msgs != 4*9000+10 {
		t.Errorf("TICKS holds %d messages", state.Msgs)
	}
}
