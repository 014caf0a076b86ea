package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const sessionsTable = "streaming_sessions"

// sessionEvent is either of a session's two events; each holds part of the row.
type sessionEvent struct {
	Type    string
	Started event.Session
	Stopped event.SessionEnd
}

// UnmarshalJSON reads the event that its type says.
func (e *sessionEvent) UnmarshalJSON(data []byte) error {
	var envelope struct {
		Type    string          `json:"type"`
		Session json.RawMessage `json:"session"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return err //nolint:wrapcheck // decode wraps it
	}
	e.Type = envelope.Type
	switch e.Type {
	case typeStarted:
		return json.Unmarshal(envelope.Session, &e.Started)
	case typeStopped:
		return json.Unmarshal(envelope.Session, &e.Stopped)
	}
	return fmt.Errorf("its type is %.40q, want %q or %q", e.Type, typeStarted, typeStopped)
}

func (e *sessionEvent) sessionID() string {
	if e.Type == typeStarted {
		return e.Started.SessionID
	}
	return e.Stopped.SessionID
}

const (
	typeStarted = "streaming_session_started"
	typeStopped = "streaming_session_stopped"
)

// ifStarted and ifStopped are a value of one of the two events; in the other it
// is NULL, which leaves the row's as it is.
func ifStarted(value func(*event.Session) any) func(*sessionEvent) any {
	return func(e *sessionEvent) any {
		if e.Type != typeStarted {
			return nil
		}
		return value(&e.Started)
	}
}

func ifStopped(value func(*event.SessionEnd) any) func(*sessionEvent) any {
	return func(e *sessionEvent) any {
		if e.Type != typeStopped {
			return nil
		}
		return value(&e.Stopped)
	}
}

// sessionStart is known of a session whose start was never seen, too.
func sessionStart(e *sessionEvent) any {
	if e.Type == typeStarted {
		return instant(e.Started.StartedAt)
	}
	return e.Stopped.StoppedAt.UTC().Add(-time.Duration(e.Stopped.DurationSeconds) * time.Second)
}

func sessionStatus(e *sessionEvent) any {
	if e.Type == typeStarted {
		return orNull(e.Started.Status)
	}
	return orNull(string(e.Stopped.FinalStatus))
}

func sessionFields() []field[sessionEvent] {
	started := needed(moment, sessionStart, "started_at", "start_time")
	started.keep = true
	return []field[sessionEvent]{
		key(text, func(e *sessionEvent) any { return orNull(e.sessionID()) }, "session_id"),
		started,
		optional(text, ifStarted(func(s *event.Session) any { return s.Universe }), "universe"),
		optional(text, ifStarted(func(s *event.Session) any { return s.SymbolUniverseKey }), "symbol_universe_key"),
		optional(integer, ifStarted(func(s *event.Session) any { return int64(s.SymbolCount) }), "symbol_count"),
		optional(text, ifStarted(func(s *event.Session) any { return string(s.TriggerType) }), "trigger_type"),
		optional(text, sessionStatus, "status"),
		optional(moment, ifStopped(func(s *event.SessionEnd) any { return instant(s.StoppedAt) }), "stopped_at"),
		optional(integer, ifStopped(func(s *event.SessionEnd) any { return s.DurationSeconds }), "duration_seconds"),
		optional(integer, ifStopped(func(s *event.SessionEnd) any { return s.TotalPatterns }), "total_patterns"),
		optional(integer, ifStopped(func(s *event.SessionEnd) any { return s.TotalIndicators }), "total_indicators"),
		optional(text, ifStopped(func(s *event.SessionEnd) any { return string(s.FinalStatus) }), "final_status"),
		stamps[sessionEvent](),
	}
}

func sessionTable() table {
	fields := sessionFields()
	return table{
		consumer: SessionsConsumer, stream: stream.Health, filter: "tickstock.session.*",
		names: []string{sessionsTable}, columns: columnsOf(fields), merges: true,
		decode: decode(fields, func(e *sessionEvent) (identity, error) {
			return identity{sessionID: e.sessionID()}, nil
		}),
		ddl: `session_id uuid PRIMARY KEY,
	universe varchar,
	started_at timestamptz NOT NULL,
	stopped_at timestamptz,
	symbol_count integer,
	total_patterns integer,
	total_indicators integer,
	final_status varchar,
	created_at timestamptz NOT NULL DEFAULT now()`,
	}
}
