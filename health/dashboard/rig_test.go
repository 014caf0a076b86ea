package dashboard_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/dashboard"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"golang.org/x/sync/errgroup"
)

const patience = 15 * time.Second // for what takes long only on a busy machine

var quiet = slog.New(slog.DiscardHandler)

// shelf is a source that a test fills.
type shelf struct {
	mu sync.Mutex
	s  health.Snapshot
}

func (s *shelf) Snapshot() health.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s
}

func (s *shelf) put(snapshot health.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s = snapshot
}

// told is a monitor that has just told a status, with 60 active symbols.
func told(status event.Status, at time.Time) health.Snapshot {
	e := event.NewStreamingHealth(event.Health{Status: status, ActiveSymbols: 60, TicksPerSecond: 60.5, Timestamp: event.At(at)})
	payload, err := json.Marshal(e)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return health.Snapshot{Event: e, Payload: payload, Published: true, Interval: 5 * time.Second}
}

// bed is a dashboard that runs, on a NATS with the streams.
type bed struct {
	t      *testing.T
	js     jetstream.JetStream
	source *shelf
	url    string
	stop   func()                      // and wait for its end
	beside func(context.Context) error // what runs beside it
}

func newBed(t *testing.T, cfg dashboard.Config, before func(b *bed, deps *dashboard.Deps)) *bed {
	t.Helper()
	b := &bed{t: t, js: testbed.StartNATS(t).JetStream(), source: &shelf{}}
	if _, err := stream.Ensure(t.Context(), b.js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	deps := dashboard.Deps{Source: b.source, JetStream: b.js, Log: quiet}
	if before != nil {
		before(b, &deps)
	}
	d, err := dashboard.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { // ends with stop
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return d.Run(ctx) })
		if b.beside != nil {
			group.Go(func() error { return b.beside(ctx) })
		}
		done <- group.Wait()
	}()
	b.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run = %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
	})
	server := httptest.NewServer(d.Handler())
	b.url = server.URL
	t.Cleanup(func() { b.stop(); server.Close() })
	return b
}

func (b *bed) publish(subject string, value any) {
	b.t.Helper()
	data, err := json.Marshal(value)
	if err == nil {
		_, err = b.js.Publish(b.t.Context(), subject, data)
	}
	if err != nil {
		b.t.Fatalf("publish %s: %v", subject, err)
	}
}

// ask sends a request and returns the answer's code and body.
func (b *bed) ask(method, path, body string, header ...string) (int, string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// sent is one server-sent event.
type sent struct{ name, id, data string }

func (s sent) read(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.data), into); err != nil {
		t.Fatalf("%s: %v: %s", s.name, err, s.data)
	}
}

// page follows a dashboard as a browser does.
type page struct {
	t      *testing.T
	cancel context.CancelFunc
	events chan sent // closed when the dashboard lets it go
	lastID string
}

// open follows from what another page saw last, or from the beginning.
func (b *bed) open(lastID string) *page {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	b.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/events", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		b.t.Fatalf("events: %d %s", response.StatusCode, kind)
	}
	p := &page{t: b.t, cancel: cancel, events: make(chan sent, 10_000)}
	go func() { // ends with the response
		defer close(p.events)
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		var s sent
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				s.name = value
			case "id":
				s.id = value
			case "data":
				s.data = value
			case "":
				if s.name != "" {
					p.events <- s
				}
				s = sent{}
			}
		}
	}()
	return p
}

// next is the next event of one of the names that ok accepts.
func (p *page) next(what string, ok func(sent) bool, names ...string) sent {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case <-deadline:
			p.t.Fatalf("not within %v: %s", patience, what)
		case s, open := <-p.events:
			if !open {
				p.t.Fatalf("the page was let go before: %s", what)
			}
			if s.id != "" {
				p.lastID = s.id
			}
			if slices.Contains(names, s.name) && (ok == nil || ok(s)) {
				return s
			}
		}
	}
}

// has is an event whose data hold all of these.
func has(parts ...string) func(sent) bool {
	return func(s sent) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !bytes.Contains([]byte(s.data), []byte(part)) })
	}
}

func millis(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }
