package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// hearHealth listens for health events on Redis as AppV2 does.
func hearHealth(t *testing.T, r *testbed.Redis) <-chan *redis.Message {
	t.Helper()
	pubsub := r.Client().Subscribe(t.Context(), r.Channels.Health)
	if _, err := pubsub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pubsub.Close() })
	return pubsub.Channel()
}

// waitHealth returns the first event of a status.
func waitHealth(t *testing.T, heard <-chan *redis.Message, status event.Status) event.StreamingHealth {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case m := <-heard:
			var e event.StreamingHealth
			if err := json.Unmarshal([]byte(m.Payload), &e); err != nil {
				t.Fatal(err)
			}
			if e.Status == status {
				return e
			}
		case <-deadline:
			t.Fatalf("no health event says %s", status)
		}
	}
}

func namespaceOf(r *testbed.Redis) string {
	return strings.TrimSuffix(r.Channels.Ticks, ":market:ticks")
}

// What keeps the streams from being prepared is what health is there to tell.
func TestHealthOutlivesAStreamInConflict(t *testing.T) {
	n, r := testbed.StartNATS(t), testbed.StartRedis(t)
	js := n.JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Bars, Subjects: []string{"bars.>"}}); err != nil {
		t.Fatal(err)
	}
	heard := hearHealth(t, r)
	c := start(t, "", "health", "--nats", n.URL(), "--redis", r.URL, "--redis-namespace", namespaceOf(r), "--http", "127.0.0.1:0")
	e := waitHealth(t, heard, event.StatusError)
	said := strings.Join(e.Issues, "\n")
	for _, want := range []string{"stream BARS", "bars.>", "delete or rename that stream"} {
		if !strings.Contains(said, want) {
			t.Errorf("the issues do not name %q: %s", want, said)
		}
	}
	// All else is made, so that it goes out on NATS as well.
	testbed.Eventually(t, 10*time.Second, "an event of error on NATS", func(ctx context.Context) bool {
		s, err := js.Stream(ctx, stream.Health)
		if err != nil {
			return false
		}
		msg, err := s.GetLastMsgForSubject(ctx, stream.HealthStatus)
		return err == nil && strings.Contains(string(msg.Data), `"status":"error"`)
	})
	c.stop()
	if code := c.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestStreamsAreTriedAgain(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Bars, Subjects: []string{"bars.>"}}); err != nil {
		t.Fatal(err)
	}
	w := newStreamsWatch(js, stream.Config{}, 20*time.Millisecond, quiet)
	done := make(chan error, 1)
	go func() { done <- w.run(t.Context()) }() // ends once they are prepared
	testbed.Eventually(t, 10*time.Second, "the conflict", func(context.Context) bool { return strings.Contains(w.now().Err, "BARS") })
	since := w.now().Since
	if err := js.DeleteStream(t.Context(), stream.Bars); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if reach := w.now(); !reach.OK || reach.Err != "" || !reach.Since.After(since) {
		t.Errorf("once mended: %+v", reach)
	}
}

// A part that cannot go on ends the process, which says so before it ends.
func TestUpTellsWhyItEnds(t *testing.T) {
	data, r := t.TempDir(), testbed.StartRedis(t)
	reach := []string{"--redis", r.URL, "--redis-namespace", namespaceOf(r)}
	c, _ := startUp(t, data, append(reach, "--partitions", "4")...)
	c.stop()
	if code := c.wait(t); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	heard := hearHealth(t, r)
	c = start(t, "", append([]string{"up", "--data", data, "--http", "127.0.0.1:0", "--partitions", "8"}, reach...)...)
	e := waitHealth(t, heard, event.StatusError)
	if said := strings.Join(e.Issues, "\n"); !strings.Contains(said, "has ended") || !strings.Contains(said, "4 partitions, 8 asked") {
		t.Errorf("the issues say %q", said)
	}
	if code := c.wait(t); code != exitUsage || !strings.Contains(c.stderr.String(), "4 partitions, 8 asked") {
		t.Errorf("exit code %d, standard error: %s", code, &c.stderr)
	}
}
