package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func (s *testServers) publish(t *testing.T, subject string, value any) {
	t.Helper()
	if _, err := s.js.Publish(t.Context(), subject, encode(t, value)); err != nil {
		t.Fatalf("publish on %s: %v", subject, err)
	}
}

func TestWatchNATS(t *testing.T) {
	s := startTestServers(t)
	s.publish(t, stream.SessionStarted, event.NewSessionStarted(someSession(), eventTime))
	s.publish(t, stream.HealthAlert, json.RawMessage(`{"type":"critical_alert","severity":"critical","message":"long ago"}`))
	s.publish(t, stream.HealthStatus, healthEvent(event.StatusStarting))
	s.publish(t, stream.HealthStatus, healthEvent(event.StatusHealthy))
	run := start(t, "", s.with("watch")...)
	run.shows(t, "healthy")
	if out := lines(run.stdout.String()); len(out) != 2 || !strings.Contains(out[0], "session started") {
		t.Errorf("it begins with %q, want the session and the latest health", out)
	}
	s.publish(t, stream.HealthGap, event.NewGap("i", "c", eventTime, eventTime.Add(time.Second), "lost"))
	run.shows(t, "gap")
	s.publish(t, stream.HealthStatus, healthEvent(event.StatusDegraded, "something is slow"))
	run.shows(t, "something is slow")

	s.nats.Stop()
	s.nats.Start()
	testbed.Eventually(t, 10*time.Second, "published after the restart", func(ctx context.Context) bool {
		_, err := s.js.Publish(ctx, stream.SessionStopped, encode(t, event.NewSessionStopped(event.SessionEnd{}, eventTime)))
		return err == nil
	})
	run.shows(t, "session stopped")
	if out := lines(run.stdout.String()); strings.Count(run.stdout.String(), "something is slow") != 1 {
		t.Errorf("after a restart of the server: %q", out)
	}
	run.stop()
	if code := run.wait(t); code != exitOK {
		t.Errorf("exit code %d, standard error: %s", code, &run.stderr)
	}
}

func TestWatchWritesJSON(t *testing.T) {
	s := startTestServers(t)
	want := healthEvent(event.StatusHealthy)
	s.publish(t, stream.HealthStatus, want)
	run := start(t, "", s.with("watch", "--json")...)
	run.shows(t, "\n")
	if got := strings.TrimSpace(run.stdout.String()); got != string(encode(t, want)) {
		t.Errorf("got %s", got)
	}
}

// It may start before the server and before the streams.
func TestWatchStartsFirst(t *testing.T) {
	n := testbed.StartNATS(t)
	url := n.URL()
	n.Stop()
	run := start(t, "", "watch", "--nats", url)
	testbed.Eventually(t, 10*time.Second, "it waits", func(context.Context) bool { return strings.Contains(run.stderr.String(), "trying on") })
	n.Start()
	js := n.JetStream()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), stream.HealthStatus, encode(t, healthEvent(event.StatusHealthy))); err != nil {
		t.Fatal(err)
	}
	run.shows(t, "healthy")
}

func TestWatchRedis(t *testing.T) {
	r := testbed.StartRedis(t)
	namespace := strings.TrimSuffix(r.Channels.Ticks, ":market:ticks")
	client := r.Client()
	record := session.Record{Session: someSession(), MarketDate: "2025-10-07", UpdatedAt: event.At(eventTime)}
	record.SessionID = uuid.NewString()
	if err := client.Set(t.Context(), r.Channels.SessionKey, encode(t, record), time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	run := start(t, "", "watch", "--bus", "redis", "--redis", r.URL, "--redis-namespace", namespace)
	run.shows(t, "session started  "+record.SessionID)
	publish := func(channel string, value any) {
		testbed.Eventually(t, 10*time.Second, "somebody is subscribed to "+channel, func(ctx context.Context) bool {
			n, err := client.Publish(ctx, channel, encode(t, value)).Result()
			return err == nil && n > 0
		})
	}
	publish(r.Channels.Health, healthEvent(event.StatusHealthy))
	run.shows(t, "healthy")
	publish(r.Channels.AlertsCritical, json.RawMessage(`{"type":"critical_alert","severity":"critical","message":"it burns"}`))
	run.shows(t, "it burns")
	if r.Embedded != nil {
		r.Embedded.Close()
		testbed.Eventually(t, 10*time.Second, "it says that Redis is away", func(context.Context) bool {
			return strings.Contains(run.stderr.String(), "Redis is away")
		})
		if err := r.Embedded.Restart(); err != nil {
			t.Fatal(err)
		}
		publish(r.Channels.SessionStopped, event.NewSessionStopped(event.SessionEnd{}, eventTime))
		run.shows(t, "session stopped")
	}
	run.stop()
	if code := run.wait(t); code != exitOK {
		t.Errorf("exit code %d, standard error: %s", code, &run.stderr)
	}
}

func TestStoredSessionBecomesAnEvent(t *testing.T) {
	record := session.Record{Session: someSession(), MarketDate: "2025-10-07", UpdatedAt: event.At(eventTime)}
	record.SessionID = uuid.NewString()
	started, err := sessionEvent(encode(t, record))
	if err != nil || !strings.Contains(string(started), "streaming_session_started") || !strings.Contains(string(started), record.SessionID) {
		t.Errorf("running: %s, %v", started, err)
	}
	record.End = &event.SessionEnd{SessionID: record.SessionID, StoppedAt: event.At(eventTime), FinalStatus: event.FinalStopped}
	stopped, err := sessionEvent(encode(t, record))
	if err != nil || !strings.Contains(string(stopped), "streaming_session_stopped") {
		t.Errorf("ended: %s, %v", stopped, err)
	}
	if _, err := sessionEvent([]byte("{}")); err == nil {
		t.Error("no record was accepted")
	}
}
