package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
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
	answer := func(subject string, reply session.Reply) {
		nc := s.nats.Connect()
		data, err := json.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
			if err := m.Respond(data); err != nil {
				t.Errorf("respond: %v", err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	answer(stream.ControlSessionStart, session.Reply{OK: true, SessionID: "e40d"})
	answer(stream.ControlSessionStop, session.Reply{SessionID: "e40d", Error: "no session is running"})
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
