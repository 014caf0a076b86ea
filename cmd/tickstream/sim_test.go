package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
)

// listen subscribes to a channel and returns the payloads as they come.
func listen(t *testing.T, r *testbed.Redis, channel string) <-chan string {
	t.Helper()
	pubsub := r.Client().Subscribe(t.Context(), channel)
	t.Cleanup(func() { _ = pubsub.Close() })
	if _, err := pubsub.Receive(t.Context()); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	payloads := make(chan string, 10_000)
	go func() { // ends when pubsub is closed
		for {
			m, err := pubsub.ReceiveMessage(context.Background())
			if err != nil {
				return
			}
			payloads <- m.Payload
		}
	}()
	return payloads
}

func take(t *testing.T, payloads <-chan string, n int) []string {
	t.Helper()
	deadline := time.After(15 * time.Second)
	var all []string
	for len(all) < n {
		select {
		case p := <-payloads:
			all = append(all, p)
		case <-deadline:
			t.Fatalf("%d of %d payloads came", len(all), n)
		}
	}
	return all
}

func TestSimPublishesAndCounts(t *testing.T) {
	r := testbed.StartRedis(t)
	namespace := strings.TrimSuffix(r.Channels.Ticks, ":market:ticks")
	for shape, channel := range map[string]string{"market": r.Channels.Ticks, "raw": r.Channels.RawTicks} {
		payloads := listen(t, r, channel)
		code, _, stderr := tickstream(t, "sim", "--redis", r.URL, "--redis-namespace", namespace,
			"--shape", shape, "--rate", "5000", "--symbols", "3", "--count", "200", "--source", "test")
		if code != exitOK || !strings.Contains(stderr, "sent 200 ticks in ") || !strings.Contains(stderr, "failed 0;") || !strings.Contains(stderr, "receivers of the last: 1") {
			t.Errorf("exit code %d, standard error: %s", code, stderr)
		}
		symbols := map[string]bool{}
		for _, p := range take(t, payloads, 200) {
			for _, s := range []string{"AAPL", "MSFT", "NVDA"} {
				if strings.Contains(p, fmt.Sprintf(": %q,", s)) {
					symbols[s] = true
				}
			}
			if !strings.Contains(p, `"source": "test"`) {
				t.Errorf("payload is %s", p)
			}
		}
		if len(symbols) != 3 {
			t.Errorf("the symbols are %v", symbols)
		}
	}
}

func TestSimFeedsRecordedTicks(t *testing.T) {
	r := testbed.StartRedis(t)
	payloads := listen(t, r, "recorded")
	file := filepath.Join(t.TempDir(), "ticks.ndjson")
	lines := "{\"a\": 1}\n\n{\"b\":  2}\n"
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, stdin string }{{file, ""}, {"-", lines}} {
		run := start(t, c.stdin, "sim", "--redis", r.URL, "--channel", "recorded", "--from", c.from, "--speed", "max")
		if code := run.wait(t); code != exitOK {
			t.Errorf("exit code %d, standard error: %s", code, &run.stderr)
		}
		if got := take(t, payloads, 2); got[0] != `{"a": 1}` || got[1] != `{"b":  2}` {
			t.Errorf("got %q", got)
		}
	}
}

// Ctrl-C ends it cleanly, with the counts.
func TestSimStops(t *testing.T) {
	r := testbed.StartRedis(t)
	payloads := listen(t, r, "c")
	run := start(t, "", "sim", "--redis", r.URL, "--channel", "c", "--log-format", "json", "--log-level", "debug")
	take(t, payloads, 3)
	run.stop()
	if code := run.wait(t); code != exitOK || !strings.Contains(run.stderr.String(), "sent ") || !strings.Contains(run.stderr.String(), `"level":"INFO"`) {
		t.Errorf("exit code %d, standard error: %s", code, &run.stderr)
	}
}
