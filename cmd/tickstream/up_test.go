package main

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var natsURL = regexp.MustCompile(`nats://[\d.:]+`)

// startUp runs up with a data folder, and returns its JetStream.
func startUp(t *testing.T, data string, args ...string) (*command, jetstream.JetStream) {
	t.Helper()
	c := start(t, "", append([]string{"up", "--data", data, "--http", "127.0.0.1:0"}, args...)...)
	testbed.Eventually(t, 20*time.Second, "the banner", func(context.Context) bool { return natsURL.MatchString(c.stdout.String()) })
	nc, err := nats.Connect(natsURL.FindString(c.stdout.String()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return c, js
}

// The disk that TICKS fills is not free at the next start: a size made of what
// is would shrink it, start by start.
func TestUpKeepsTheSizeOfTicks(t *testing.T) {
	data := t.TempDir()
	c, js := startUp(t, data)
	ticks, err := js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	cfg := ticks.CachedInfo().Config
	if cfg.MaxBytes < 64<<20 || cfg.MaxBytes > 20<<30 {
		t.Errorf("a new TICKS may have %d bytes", cfg.MaxBytes)
	}
	cfg.MaxBytes, cfg.MaxAge = 30<<30, 60*24*time.Hour
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	c.stop()
	if code := c.wait(t); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	c, js = startUp(t, data)
	ticks, err = js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	if again := ticks.CachedInfo().Config; again.MaxBytes != cfg.MaxBytes || again.MaxAge != cfg.MaxAge {
		t.Errorf("after a start: %d bytes and %v, want the operator's %d and %v", again.MaxBytes, again.MaxAge, cfg.MaxBytes, cfg.MaxAge)
	}
	c.stop()
	c.wait(t)
}
