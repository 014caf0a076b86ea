package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
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
	run := start(t, "", s.with("watch", "--text")...)
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
	testbed.Eventually(t, 20*time.Second, "published after the restart", func(ctx context.Context) bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second) // what goes out just before the loss is seen has no answer
		defer cancel()
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
	run := start(t, "", s.with("watch")...)
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
	run := start(t, "", "watch", "--text", "--nats", url)
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
	run := start(t, "", "watch", "--text", "--bus", "redis", "--redis", r.URL, "--redis-namespace", namespace)
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

// Each kind is what its subjects hold from now on, and nothing else.
func TestWatchKinds(t *testing.T) {
	t.Parallel()
	s := startTestServers(t)
	bar := json.RawMessage(`{"type":"bar","symbol":"AAPL","timeframe":"1min","start":"2025-10-07T14:30:00.000Z","close":1}`)
	indicator := json.RawMessage(`{"type":"indicator","indicator":"RSI","symbol":"AAPL","value":1}`)
	crossing := json.RawMessage(`{"type":"indicator_alert","alert":"RSI_OVERBOUGHT","symbol":"AAPL"}`)
	fault := json.RawMessage(`{"type":"critical_alert","severity":"critical","message":"it burns"}`)
	tick := json.RawMessage(`{"symbol":"AAPL","price":187.50,"volume":100,"timestamp":1728300000.5}`)
	everything := func() {
		s.publish(t, stream.BarSubject("1min", "AAPL"), bar)
		s.publish(t, stream.SignalSubject("indicator", "RSI", "AAPL"), indicator)
		s.publish(t, stream.SignalSubject("alert", "RSI_OVERBOUGHT", "AAPL"), crossing)
		s.publish(t, stream.HealthAlert, fault)
		s.publish(t, stream.TickSubject("AAPL"), tick)
		s.publish(t, stream.ClockSubject(0), json.RawMessage(`{"type":"clock_mark"}`))
		msg := nats.NewMsg(stream.RejectSubject("not_json"))
		msg.Data = []byte("no\ntick")
		msg.Header.Set(event.HeaderRejectReason, "not_json")
		msg.Header.Set(event.HeaderRejectDetail, "byte 0")
		if _, err := s.js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	everything() // before anybody watches
	for kinds, want := range map[string][]string{
		"bars":           {string(bar)},
		"signals":        {string(crossing), string(indicator)},
		"alerts":         {string(fault), string(crossing)},
		"alerts signals": {string(fault), string(crossing), string(indicator)},
		"ticks ticks":    {string(tick)},
		"rejects":        {`"reason":"not_json","detail":"byte 0"`},
		"--text ticks":   {"2024-10-07T11:20:00.500Z tick       AAPL  187.5  volume 100"},
		"--text rejects": {`reject not_json  byte 0  "no\ntick"`},
		"--text bars":    {"2025-10-07T14:30:00.000Z bar        AAPL  1min"},
	} {
		run := start(t, "", s.with(append([]string{"watch"}, strings.Fields(kinds)...)...)...)
		// A consumer a stream says that it follows.
		streams := map[string]bool{}
		for _, word := range strings.Fields(kinds) {
			for _, k := range watchKinds {
				if k.name == word {
					for name := range k.subjects {
						streams[name] = true
					}
				}
			}
		}
		for name := range streams {
			testbed.Eventually(t, 10*time.Second, "it follows "+name, func(ctx context.Context) bool {
				st, err := s.js.Stream(ctx, name)
				return err == nil && st.CachedInfo().State.Consumers > 0
			})
		}
		everything()
		for _, text := range want {
			run.shows(t, text)
		}
		run.stop()
		if code := run.wait(t); code != exitOK {
			t.Errorf("%s: exit code %d, standard error: %s", kinds, code, &run.stderr)
		}
		if got := lines(run.stdout.String()); len(got) != len(want) {
			t.Errorf("%s: printed %q", kinds, got)
		}
		for name := range streams { // its consumer is gone before the next one is awaited
			testbed.Eventually(t, 10*time.Second, "it has left "+name, func(ctx context.Context) bool {
				st, err := s.js.Stream(ctx, name)
				if err != nil {
					return false
				}
				for info := range st.ListConsumers(ctx).Info() {
					_ = st.DeleteConsumer(ctx, info.Name)
				}
				return st.CachedInfo().State.Consumers == 0
			})
		}
	}
}

func TestWatchSignalsOnRedis(t *testing.T) {
	t.Parallel()
	r := testbed.StartRedis(t)
	namespace := strings.TrimSuffix(r.Channels.Ticks, ":market:ticks")
	client := r.Client()
	run := start(t, "", "watch", "signals", "--text", "--bus", "redis", "--redis", r.URL, "--redis-namespace", namespace)
	pattern := json.RawMessage(`{"type":"streaming_pattern","detection":{"pattern":"Doji","symbol":"AAPL","confidence":0.9,"timestamp":"t"}}`)
	testbed.Eventually(t, 10*time.Second, "somebody is subscribed", func(ctx context.Context) bool {
		counts, err := client.PubSubNumSub(ctx, r.Channels.Patterns, r.Channels.Indicators, r.Channels.AlertsIndicator).Result()
		return err == nil && counts[r.Channels.Patterns] == 1 && counts[r.Channels.Indicators] == 1 && counts[r.Channels.AlertsIndicator] == 1
	})
	client.Publish(t.Context(), r.Channels.Health, encode(t, healthEvent(event.StatusHealthy))) // not asked for
	client.Publish(t.Context(), r.Channels.Patterns, []byte(pattern))
	client.Publish(t.Context(), r.Channels.PatternsHigh, []byte(pattern)) // the same once more
	client.Publish(t.Context(), r.Channels.AlertsIndicator, `{"type":"indicator_alert","alert_type":"RSI_OVERSOLD","symbol":"AAPL"}`)
	run.shows(t, "RSI_OVERSOLD")
	if got := lines(run.stdout.String()); len(got) != 2 || !strings.Contains(got[0], "Doji  confidence 0.9") {
		t.Errorf("printed %q", got)
	}
}

// Health tells of the session again to each new subscriber.
func TestWatchRedisTellsOfTheSessionOnce(t *testing.T) {
	t.Parallel()
	r := testbed.StartRedis(t)
	namespace := strings.TrimSuffix(r.Channels.Ticks, ":market:ticks")
	client := r.Client()
	record := session.Record{Session: someSession(), MarketDate: "2025-10-07", UpdatedAt: event.At(eventTime)}
	record.SessionID = uuid.NewString()
	if err := client.Set(t.Context(), r.Channels.SessionKey, encode(t, record), time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	run := start(t, "", "watch", "--text", "--bus", "redis", "--redis", r.URL, "--redis-namespace", namespace)
	run.shows(t, "session started  "+record.SessionID)
	again := event.NewSessionStarted(record.Session, eventTime.Add(time.Minute))
	client.Publish(t.Context(), r.Channels.SessionStarted, encode(t, again))
	health := encode(t, healthEvent(event.StatusHealthy))
	client.Publish(t.Context(), r.Channels.Health, health)
	client.Publish(t.Context(), r.Channels.SessionStarted, encode(t, again))
	client.Publish(t.Context(), r.Channels.Health, health)
	other := someSession()
	other.SessionID = uuid.NewString()
	client.Publish(t.Context(), r.Channels.SessionStarted, encode(t, event.NewSessionStarted(other, eventTime)))
	run.shows(t, other.SessionID)
	out := run.stdout.String()
	if strings.Count(out, "session started") != 2 || strings.Count(out, "healthy") != 1 {
		t.Errorf("printed %s", out)
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
