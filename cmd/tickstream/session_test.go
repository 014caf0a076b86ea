package main

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
)

func TestSessionAsksHealth(t *testing.T) {
	s := startTestServers(t)
	for _, command := range []string{"start", "stop"} {
		code, _, stderr := tickstream(t, "session", command, "--nats", s.nats.URL())
		if code != exitFailure || !strings.Contains(stderr, "no health process takes session commands") {
			t.Errorf("%s without health: exit code %d, standard error: %s", command, code, stderr)
		}
	}
	health, err := service.New(service.Config{Name: session.ServiceName, Endpoints: []service.Endpoint{
		{Name: "start", Handle: func(context.Context, []byte) (any, error) {
			return session.Record{Session: event.Session{SessionID: "e40d"}}, nil
		}},
		{Name: "stop", Handle: func(context.Context, []byte) (any, error) {
			return nil, service.Refuse(service.Conflict, "%w", session.ErrNotRunning)
		}},
	}}, s.nats.Connect(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop, err := health.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if code, stdout, stderr := tickstream(t, "session", "start", "--nats", s.nats.URL()); code != exitOK || stdout != "started session e40d\n" {
		t.Errorf("exit code %d, %q, standard error: %s", code, stdout, stderr)
	}
	if code, _, stderr := tickstream(t, "session", "stop", "--nats", s.nats.URL()); code != exitFailure || !strings.Contains(stderr, "refused: no session is running") {
		t.Errorf("exit code %d, standard error: %s", code, stderr)
	}
}

func TestSessionShow(t *testing.T) {
	s := startTestServers(t)
	show := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := tickstream(t, append([]string{"session", "show", "--nats", s.nats.URL()}, args...)...)
		if !strings.Contains(stdout+stderr, want) {
			t.Errorf("exit code %d, %q, standard error: %q, want %q", code, stdout, stderr, want)
		}
	}
	show("there has been no session yet")
	s.publish(t, stream.SessionStarted, event.NewSessionStarted(someSession(), eventTime))
	show("session started  e40d0164")
	show(`{"type":"streaming_session_started"`, "--json")
	s.publish(t, stream.SessionStopped, event.NewSessionStopped(event.SessionEnd{SessionID: "e40d0164", FinalStatus: event.FinalStopped}, eventTime))
	show("session stopped  e40d0164  stopped after")
	s.publish(t, stream.SessionStarted, event.NewSessionStarted(someSession(), eventTime))
	show("session started")
}
