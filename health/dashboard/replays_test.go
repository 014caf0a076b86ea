package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/tickstock/tickstream/health/dashboard"
	"github.com/tickstock/tickstream/health/replays"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// basket keeps what is replayed.
type basket struct {
	mu      sync.Mutex
	ticks   []string
	channel string
}

func (b *basket) Write(_ context.Context, m replay.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ticks = append(b.ticks, string(m.Payload))
	return nil
}

func (b *basket) Flush(context.Context) error { return nil }

// replayBed has n ticks of AAPL and as many of BRK.B in TICKS, seconds apart.
func replayBed(t *testing.T, n int) (*bed, *basket) {
	t.Helper()
	into := &basket{}
	b := newBed(t, dashboard.Config{}, func(b *bed, deps *dashboard.Deps) {
		var err error
		deps.Replays, err = replays.New("mine", replays.Deps{JetStream: b.js, Log: quiet, OpenSink: func(_ context.Context, channel string) (replay.Sink, error) {
			if channel == "live" {
				return nil, errors.New("live is the live channel")
			}
			into.channel = channel
			return into, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		b.beside = deps.Replays.Run
	})
	for i := range n {
		for _, symbol := range []string{"AAPL", "BRK.B"} {
			payload := fmt.Sprintf(`{"symbol":%q,"price":%d,"timestamp":%d}`, symbol, i+1, 1759843800+i)
			if _, err := b.js.Publish(t.Context(), stream.TickSubject(symbol), []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b, into
}

const asJSON, kind = "application/json", "Content-Type"

func TestReplayFromThePage(t *testing.T) {
	b, into := replayBed(t, 50)
	p := b.open("")
	p.next("nothing runs, and what is proposed", has(`"allowed":true`, `"phase":"idle"`, `"channel":"mine"`), "replay")
	if code, body := b.ask(http.MethodPost, "/api/replay", `{"from":"-1h","speed":0,"symbols":["BRK.B"],"channel":"mine"}`, kind, asJSON); code != http.StatusAccepted {
		t.Fatalf("start: %d %s", code, body)
	}
	p.next("its end", has(`"phase":"done"`, `"ticks":50`, `"share":1`), "replay")
	into.mu.Lock()
	defer into.mu.Unlock()
	if len(into.ticks) != 50 || into.ticks[0] != `{"symbol":"BRK.B","price":1,"timestamp":1759843800}` || into.channel != "mine" {
		t.Errorf("%d ticks came to %q, first %s", len(into.ticks), into.channel, into.ticks)
	}
}

func TestOneReplayAtATime(t *testing.T) {
	b, _ := replayBed(t, 100)
	p := b.open("")
	start := func() (int, string) {
		return b.ask(http.MethodPost, "/api/replay", `{"from":"-1h","speed":1,"channel":"mine"}`, kind, asJSON)
	}
	if code, body := b.ask(http.MethodDelete, "/api/replay", ""); code != http.StatusConflict {
		t.Errorf("cancel nothing: %d %s", code, body)
	}
	if code, body := start(); code != http.StatusAccepted {
		t.Fatalf("start: %d %s", code, body)
	}
	p.next("it runs", has(`"phase":"running"`, `"ticks":2`), "replay") // the first second of 100
	if code, body := start(); code != http.StatusConflict {
		t.Errorf("a second one: %d %s", code, body)
	}
	if code, body := b.ask(http.MethodDelete, "/api/replay", ""); code != http.StatusAccepted {
		t.Errorf("cancel: %d %s", code, body)
	}
	p.next("it is cancelled", has(`"phase":"cancelled"`), "replay")
	if code, body := start(); code != http.StatusAccepted {
		t.Errorf("the next one: %d %s", code, body)
	}
	p.next("the next one runs", has(`"phase":"running"`), "replay")
	b.stop() // ends it, or the test hangs
}

func TestReplayIsRefused(t *testing.T) {
	b, into := replayBed(t, 1)
	const good = `{"from":"-1h","channel":"mine"}`
	for name, c := range map[string]struct {
		body   string
		header []string
		want   int
	}{
		"a form of another page":      {good, []string{kind, "text/plain"}, http.StatusUnsupportedMediaType},
		"no type":                     {good, nil, http.StatusUnsupportedMediaType},
		"another origin":              {good, []string{kind, asJSON, "Origin", "https://elsewhere.example"}, http.StatusForbidden},
		"a browser says cross-site":   {good, []string{kind, asJSON, "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"no JSON":                     {"from", []string{kind, asJSON}, http.StatusBadRequest},
		"what is not known":           {`{"from":"-1h","channel":"mine","to_nats":"x"}`, []string{kind, asJSON}, http.StatusBadRequest},
		"no beginning":                {`{"channel":"mine"}`, []string{kind, asJSON}, http.StatusUnprocessableEntity},
		"no time":                     {`{"from":"yesterday","channel":"mine"}`, []string{kind, asJSON}, http.StatusUnprocessableEntity},
		"no end":                      {`{"from":"-1h","to":"x","channel":"mine"}`, []string{kind, asJSON}, http.StatusUnprocessableEntity},
		"an end before the beginning": {`{"from":"-1h","to":"-2h","channel":"mine"}`, []string{kind, asJSON}, http.StatusUnprocessableEntity},
		"a speed below zero":          {`{"from":"-1h","speed":-1,"channel":"mine"}`, []string{kind, asJSON}, http.StatusUnprocessableEntity},
		"no channel":                  {`{"from":"-1h"}`, []string{kind, asJSON}, http.StatusUnprocessableEntity},
		"the live channel":            {`{"from":"-1h","channel":"live"}`, []string{kind, asJSON}, http.StatusUnprocessableEntity},
	} {
		if code, body := b.ask(http.MethodPost, "/api/replay", c.body, c.header...); code != c.want || body == "" {
			t.Errorf("%s: %d %s, want %d", name, code, body, c.want)
		}
	}
	if code, _ := b.ask(http.MethodDelete, "/api/replay", "", "Sec-Fetch-Site", "cross-site"); code != http.StatusForbidden {
		t.Errorf("cancel from elsewhere: %d", code)
	}
	if len(into.ticks) > 0 {
		t.Errorf("%d ticks were replayed", len(into.ticks))
	}
	p := b.open("")
	p.next("nothing ran", has(`"phase":"idle"`), "replay")
	watched := newBed(t, dashboard.Config{}, nil)
	if code, body := watched.ask(http.MethodPost, "/api/replay", good, kind, asJSON); code != http.StatusForbidden {
		t.Errorf("where the page may not: %d %s", code, body)
	}
}

func TestEmptyRangeIsSaid(t *testing.T) {
	b, _ := replayBed(t, 1)
	p := b.open("")
	if code, body := b.ask(http.MethodPost, "/api/replay", `{"from":"-1h","symbols":["NONE"],"channel":"mine"}`, kind, asJSON); code != http.StatusAccepted {
		t.Fatalf("start: %d %s", code, body)
	}
	p.next("why it failed", has(`"phase":"failed"`, "no tick in that range"), "replay")
}
