package web_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/web"
	"github.com/tickstock/tickstream/pipeline/event"
)

var quiet = slog.New(slog.DiscardHandler)

// page is what a server is given beside its source.
var page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })

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

// serve runs a server of source until the test ends.
func serve(t *testing.T, source web.Source, cfg web.Config) *web.Server {
	t.Helper()
	server, err := web.New(cfg, web.HealthContent(source, page), quiet)
	if err != nil {
		t.Fatal(err)
	}
	run(t, server)
	return server
}

// run runs a server until the test ends.
func run(t *testing.T, server *web.Server) {
	t.Helper()
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }() // ends with the test
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func ask(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func snapshot(t *testing.T, status event.Status, now time.Time) health.Snapshot {
	t.Helper()
	e := event.NewStreamingHealth(event.Health{
		SessionID: "e40d0164-9c1d-4f3a-8a53-9a7a5f0f2f11", Status: status, ActiveSymbols: 60, TicksPerSecond: 15.2, Timestamp: event.At(now),
		StaleSymbols: event.StaleSymbols{Count: 30, Symbols: []string{"BRK.B"}},
	})
	payload, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return health.Snapshot{Event: e, Payload: payload, Published: true, Beat: now, Interval: time.Second}
}

func TestProbesTellTheTruth(t *testing.T) {
	source := &shelf{}
	url := "http://" + serve(t, source, web.Config{Address: "127.0.0.1:0"}).Addr()
	fresh := snapshot(t, event.StatusError, time.Now())
	stuck := fresh
	stuck.Beat = time.Now().Add(-4 * time.Second)
	silent := fresh
	silent.Published = false
	for name, c := range map[string]struct {
		snapshot            health.Snapshot
		live, ready, latest int
	}{
		"before Run":         {health.Snapshot{Interval: time.Second}, 503, 503, 503},
		"running":            {fresh, 200, 200, 200},
		"a loop hangs":       {stuck, 503, 200, 200},
		"nothing went out":   {silent, 200, 503, 200},
		"no event was made":  {health.Snapshot{Interval: time.Second, Beat: time.Now()}, 200, 503, 503},
		"slow but it moves":  {health.Snapshot{Interval: time.Minute, Beat: time.Now().Add(-2 * time.Minute)}, 200, 503, 503},
		"beyond 3 intervals": {health.Snapshot{Interval: time.Minute, Beat: time.Now().Add(-4 * time.Minute)}, 503, 503, 503},
	} {
		source.put(c.snapshot)
		for path, want := range map[string]int{"/healthz": c.live, "/readyz": c.ready, "/health": c.latest} {
			if response, body := ask(t, http.MethodGet, url+path); response.StatusCode != want || body == "" {
				t.Errorf("%s: %s = %d %q, want %d", name, path, response.StatusCode, body, want)
			}
		}
	}
	source.put(fresh)
	if response, body := ask(t, http.MethodGet, url+"/health"); body != string(fresh.Payload) || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("/health = %s", body)
	}
}

func TestProbesOnlyRead(t *testing.T) {
	url := "http://" + serve(t, &shelf{}, web.Config{Address: "127.0.0.1:0"}).Addr()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "TRACE"} {
		for _, path := range []string{"/health", "/healthz", "/readyz"} {
			if response, _ := ask(t, method, url+path); response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") == "" {
				t.Errorf("%s %s = %d", method, path, response.StatusCode)
			}
		}
	}
}

func TestProbesAreGuardedAndThePageIsServed(t *testing.T) {
	url := "http://" + serve(t, &shelf{}, web.Config{Address: "127.0.0.1:0"}).Addr()
	for _, path := range []string{"/", "/anything", "/health/more"} {
		if _, body := ask(t, http.MethodGet, url+path); body != "the page" {
			t.Errorf("%s = %q", path, body)
		}
	}
	for _, path := range []string{"/health", "/healthz", "/readyz"} {
		response, _ := ask(t, http.MethodGet, url+path)
		for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
			if got := response.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if !strings.HasPrefix(response.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: no content security policy", path)
		}
	}
}

func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	strict, err := web.New(web.Config{Address: address}, web.HealthContent(&shelf{}, page), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Listen(); err == nil || strict.Addr() != "" {
		t.Errorf("a taken port was taken again: %v, %q", err, strict.Addr())
	}
	if err := strict.Run(t.Context()); err == nil {
		t.Error("Run without a port: no error")
	}
	lenient := serve(t, &shelf{}, web.Config{Address: address, FallbackPort: true})
	host, _, err := net.SplitHostPort(lenient.Addr())
	if err != nil || host != "127.0.0.1" || lenient.Addr() == address {
		t.Errorf("fell back to %s from %s", lenient.Addr(), address)
	}
}

func TestAddressIsChecked(t *testing.T) {
	if _, err := web.New(web.Config{Address: "8080"}, web.HealthContent(&shelf{}, page), quiet); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("New = %v", err)
	}
	server, err := web.New(web.Config{Address: "127.0.0.1:0"}, web.HealthContent(&shelf{}, page), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil || server.Addr() != "" {
		t.Errorf("close before listening: %v", err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
}
