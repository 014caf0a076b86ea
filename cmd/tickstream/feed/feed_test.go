package feed_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/feed"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// listen subscribes and returns the payloads as they come.
func listen(t *testing.T, client *redis.Client, channel string) <-chan string {
	t.Helper()
	pubsub := client.Subscribe(t.Context(), channel)
	t.Cleanup(func() { _ = pubsub.Close() })
	if _, err := pubsub.Receive(t.Context()); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	payloads := make(chan string, 10_000)
	go func() { // ends when pubsub is closed
		defer close(payloads)
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
	deadline := time.After(10 * time.Second)
	var all []string
	for len(all) < n {
		select {
		case p := <-payloads:
			all = append(all, p)
		case <-deadline:
			t.Fatalf("%d of %d ticks came", len(all), n)
		}
	}
	return all
}

func run(t *testing.T, cfg feed.Config, client redis.UniversalClient) feed.Counts {
	t.Helper()
	f, err := feed.New(cfg, client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("new feed: %v", err)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatalf("run: %v", err)
	}
	return f.Counts()
}

func TestFeedPublishesCount(t *testing.T) {
	r := testbed.StartRedis(t)
	payloads := listen(t, r.Client(), r.Channels.Ticks)
	counts := run(t, feed.Config{Symbols: symbols(10), Rate: 20_000, Count: 2500, Channel: r.Channels.Ticks, Malformed: 0.1}, r.Client())
	if counts.Sent != 2500 || counts.Failed != 0 || counts.Receivers != 1 || counts.Elapsed <= 0 {
		t.Errorf("counts are %+v", counts)
	}
	if counts.Malformed < 100 || counts.Malformed > 400 {
		t.Errorf("%d of 2500 are malformed, want about 250", counts.Malformed)
	}
	take(t, payloads, 2500)
}

func TestFeedHoldsRate(t *testing.T) {
	r := testbed.StartRedis(t)
	counts := run(t, feed.Config{Symbols: symbols(10), Rate: 2000, Duration: 500 * time.Millisecond, Channel: r.Channels.Ticks}, r.Client())
	if counts.Sent > 1100 {
		t.Errorf("%d ticks in half a second at 2000/s", counts.Sent)
	}
	if counts.Sent == 0 {
		t.Error("no tick was sent")
	}
}

func TestRecordingGoesOutAsItIs(t *testing.T) {
	r := testbed.StartRedis(t)
	payloads := listen(t, r.Client(), r.Channels.Ticks)
	lines := []string{`{"symbol":"A","price":1,"timestamp":1759852800.0}`, `not a tick`, `{"symbol":"B","price": 2 ,"timestamp":1759852800.05}`}
	for _, speed := range []float64{0, 1, 10} {
		counts := run(t, feed.Config{From: strings.NewReader(strings.Join(lines, "\n\n") + "\n"), Speed: speed, Channel: r.Channels.Ticks}, r.Client())
		if counts.Sent != 3 {
			t.Errorf("speed %v: %d sent, want 3", speed, counts.Sent)
		}
		for i, got := range take(t, payloads, 3) {
			if got != lines[i] {
				t.Errorf("speed %v: line %d is %q, want %q", speed, i, got, lines[i])
			}
		}
		if counts.Elapsed > 5*time.Second {
			t.Errorf("speed %v: took %v", speed, counts.Elapsed)
		}
	}
}

func TestRecordingEndsWithALineTooLong(t *testing.T) {
	r := testbed.StartRedis(t)
	f, err := feed.New(feed.Config{From: strings.NewReader(strings.Repeat("x", 2<<20)), Channel: r.Channels.Ticks}, r.Client(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err == nil || !contains(err.Error(), "read recorded ticks") {
		t.Errorf("error is %v", err)
	}
}

// Redis goes away and comes back: what could not be sent is counted, and the
// feed goes on.
func TestFeedWaitsForRedis(t *testing.T) {
	r := testbed.StartRedis(t)
	if r.Embedded == nil {
		r.Embedded = nil
		t.Setenv(testbed.RedisEnv, "")
		r = testbed.StartRedis(t)
	}
	client := redis.NewClient(&redis.Options{Addr: r.Embedded.Addr(), MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second})
	t.Cleanup(func() { _ = client.Close() })
	f, err := feed.New(feed.Config{Symbols: symbols(3), Rate: 1000, Channel: r.Channels.Ticks}, client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	sent := func(than int64) func(context.Context) bool {
		return func(context.Context) bool { return f.Counts().Sent > than }
	}
	testbed.Eventually(t, 10*time.Second, "ticks are sent", sent(0))
	r.Embedded.Close()
	testbed.Eventually(t, 10*time.Second, "a failure is counted", func(context.Context) bool { return f.Counts().Failed > 0 })
	if err := r.Embedded.Restart(); err != nil {
		t.Fatalf("restart redis: %v", err)
	}
	testbed.Eventually(t, 10*time.Second, "ticks are sent again", sent(f.Counts().Sent))
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}
