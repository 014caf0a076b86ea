package replays_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/health/replays"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const patience = 15 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// basket keeps what is replayed.
type basket struct {
	mu    sync.Mutex
	ticks []string
}

func (b *basket) Write(_ context.Context, m replay.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ticks = append(b.ticks, string(m.Payload))
	return nil
}

func (b *basket) Flush(context.Context) error { return nil }

func (b *basket) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ticks)
}

// bed is the service of replays over n ticks a second apart, on a NATS.
type bed struct {
	t    *testing.T
	nc   *nats.Conn // of who asks
	into *basket
	runs *replays.Replays
	stop func() // offers it no more
}

func newBed(t *testing.T, n int) *bed {
	t.Helper()
	server := testbed.StartNATS(t)
	js := server.JetStream()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		payload := fmt.Sprintf(`{"symbol":"AAPL","price":%d,"timestamp":%d}`, i+1, 1759843800+i)
		if _, err := js.Publish(t.Context(), stream.TickSubject("AAPL"), []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	b := &bed{t: t, nc: server.Connect(), into: &basket{}}
	r, err := replays.New("mine", replays.Deps{JetStream: js, Log: quiet, OpenSink: func(_ context.Context, channel string) (replay.Sink, error) {
		if channel == "live" {
			return nil, errors.New("live is the live channel")
		}
		return b.into, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.runs = r
	s, err := service.New(r.Service(service.Identity{}), js.Conn(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }() // ends with cancel
	end, err := s.Serve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	b.stop = sync.OnceFunc(end)
	t.Cleanup(func() {
		b.stop()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return b
}

func (b *bed) ask(endpoint, body string) (replays.State, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var s replays.State
	err := service.Ask(ctx, b.nc, stream.ControlSubject(replays.ServiceName, endpoint), []byte(body), &s)
	return s, err
}

// refused fails the test unless a request is refused.
func (b *bed) refused(endpoint, body, code, says string) {
	b.t.Helper()
	s, err := b.ask(endpoint, body)
	refusal, ok := errors.AsType[*service.Refusal](err)
	if !ok || refusal.Code != code || !strings.Contains(refusal.Error(), says) {
		b.t.Errorf("%s %s: %+v, %v; want %s, %q", endpoint, body, s, err, code, says)
	}
}

// until asks for the progress until it is as wanted.
func (b *bed) until(what string, is func(replays.State) bool) replays.State {
	b.t.Helper()
	var s replays.State
	testbed.Eventually(b.t, patience, what, func(context.Context) bool {
		var err error
		if s, err = b.ask("progress", ""); err != nil {
			b.t.Fatal(err)
		}
		return is(s)
	})
	return s
}

func TestReplayOverNATS(t *testing.T) {
	b := newBed(t, 50)
	if s, err := b.ask("progress", ""); err != nil || s.Phase != "idle" || s.Channel != "mine" {
		t.Errorf("before: %+v, %v", s, err)
	}
	started, err := b.ask("start", `{"from":"-1h","channel":"mine"}`)
	if err != nil || started.ID == "" {
		t.Fatalf("start: %+v, %v", started, err)
	}
	s := b.until("its end", func(s replays.State) bool { return s.Phase == "done" })
	if s.ID != started.ID || s.Symbols == nil || s.Ticks != 50 || s.Share != 1 || b.into.len() != 50 {
		t.Errorf("%+v, %d ticks came", s, b.into.len())
	}
}

func TestOneReplayOverNATSAtATime(t *testing.T) {
	b := newBed(t, 1000)
	b.refused("stop", "", service.Conflict, "no replay runs")
	const slow = `{"from":"-1h","speed":1,"channel":"mine"}`
	if _, err := b.ask("start", slow); err != nil {
		t.Fatal(err)
	}
	b.until("it runs", func(s replays.State) bool { return s.Phase == "running" && s.Ticks > 0 })
	b.refused("start", slow, service.Conflict, "a replay runs already")
	if _, err := b.ask("stop", ""); err != nil {
		t.Errorf("stop: %v", err)
	}
	b.until("it is cancelled", func(s replays.State) bool { return s.Phase == "cancelled" })
	if _, err := b.ask("start", slow); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestReplayOverNATSIsRefused(t *testing.T) {
	b := newBed(t, 1)
	for body, c := range map[string]struct{ code, says string }{
		"from": {service.BadRequest, "cannot be read"},
		`{"from":"-1h","channel":"mine","subject":"x"}`: {service.BadRequest, `unknown field "subject"`},
		"":                                      {service.Unfit, "from is"},
		`{"from":"yesterday","channel":"mine"}`: {service.Unfit, "give a time"},
		`{"from":"-1h","to":"-2h","channel":"mine"}`: {service.Unfit, "to is before from"},
		`{"from":"-1h","speed":-1,"channel":"mine"}`: {service.Unfit, "speed is -1"},
		`{"from":"-1h"}`:                                 {service.Unfit, "channel is empty"},
		`{"from":"-1h","channel":"live"}`:                {service.Unfit, "live is the live channel"},
		`{"from":"` + strings.Repeat("x", 20_000) + `"}`: {service.TooLarge, "give at most"},
	} {
		b.refused("start", body, c.code, c.says)
	}
	b.refused("stop", `{"id":"x"}`, service.BadRequest, "stop takes nothing")
	if s, err := b.ask("progress", ""); err != nil || s.Phase != "idle" || b.into.len() > 0 {
		t.Errorf("after refusals: %+v, %v, %d ticks", s, err, b.into.len())
	}
}

// Whoever offers the service no more could not be told to stop.
func TestReplayEndsWithTheService(t *testing.T) {
	b := newBed(t, 1000)
	if _, err := b.ask("start", `{"from":"-1h","speed":1,"channel":"mine"}`); err != nil {
		t.Fatal(err)
	}
	b.until("it runs", func(s replays.State) bool { return s.Ticks > 0 })
	b.stop()
	testbed.Eventually(t, patience, "it is cancelled", func(context.Context) bool { return b.runs.State().Phase == "cancelled" })
	if _, err := b.ask("progress", ""); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("who answers? %v", err)
	}
}
