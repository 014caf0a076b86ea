package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/health/web"
)

// serveContent runs a server of content until the test ends.
func serveContent(t *testing.T, content web.Content, cfg web.Config) *web.Server {
	t.Helper()
	cfg.Address = "127.0.0.1:0"
	server, err := web.New(cfg, content, quiet)
	if err != nil {
		t.Fatal(err)
	}
	run(t, server)
	return server
}

func TestRoleWithoutAPage(t *testing.T) {
	numbers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "numbers") })
	wrong := errors.New("not subscribed")
	content := web.Content{Metrics: numbers, Ready: func(context.Context) error { return wrong }}
	url := serveContent(t, content, web.Config{}).URL()
	for path, want := range map[string]struct {
		code int
		body string
	}{
		"metrics": {200, "numbers"}, "healthz": {200, "ok\n"}, "readyz": {503, "not subscribed\n"},
		"": {404, ""}, "health": {404, ""}, "debug/pprof/": {200, ""}, "debug/pprof/heap": {200, ""},
	} {
		if response, body := ask(t, http.MethodGet, url+path); response.StatusCode != want.code || want.body != "" && body != want.body {
			t.Errorf("/%s = %d %q, want %d %q", path, response.StatusCode, body, want.code, want.body)
		}
	}
	for _, path := range []string{"metrics", "debug/pprof/heap", "debug/pprof/symbol"} {
		if response, _ := ask(t, http.MethodPost, url+path); response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST /%s = %d", path, response.StatusCode)
		}
	}
}

// A probe is answered though what it asks is not.
func TestProbeOfWhatHangs(t *testing.T) {
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	url := serveContent(t, web.Content{Live: hangs}, web.Config{}).URL()
	if response, _ := ask(t, http.MethodGet, url+"healthz"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/healthz = %d", response.StatusCode)
	}
}

// The command line may hold a secret, and so may nothing that is served.
func TestProfilesHoldNoCommandLine(t *testing.T) {
	url := serveContent(t, web.Content{}, web.Config{}).URL()
	if response, body := ask(t, http.MethodGet, url+"debug/pprof/cmdline"); response.StatusCode != http.StatusNotFound || strings.Contains(body, "test") {
		t.Errorf("/debug/pprof/cmdline = %d %q", response.StatusCode, body)
	}
}

// Where a token is asked for, it is for metrics and profiles too.
func TestMetricsAndProfilesAskForTheToken(t *testing.T) {
	url := serveContent(t, web.Content{Metrics: page}, web.Config{Token: token}).URL()
	for _, path := range []string{"metrics", "debug/pprof/", "debug/pprof/heap", "debug/pprof/profile?seconds=1"} {
		if response, _ := do(t, &http.Client{}, http.MethodGet, url+path, nil); response.StatusCode != http.StatusUnauthorized {
			t.Errorf("/%s without a token = %d", path, response.StatusCode)
		}
		response, _ := do(t, &http.Client{}, http.MethodGet, url+path, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
		if response.StatusCode != 200 {
			t.Errorf("/%s with the token = %d", path, response.StatusCode)
		}
	}
}
