package event

import "time"

// Trigger says what started a session.
type Trigger string

// The triggers of AppV2's contract.
const (
	TriggerScheduled Trigger = "scheduled" // by the market calendar
	TriggerManual    Trigger = "manual"    // by an operator
	TriggerAlways    Trigger = "always"    // by a setting that ignores the calendar
	TriggerResumed   Trigger = "resumed"   // found again after a restart of the process
)

// FinalStatus says how a session ended.
type FinalStatus string

// The final statuses of AppV2's contract.
const (
	FinalCompleted FinalStatus = "completed" // the market closed
	FinalStopped   FinalStatus = "stopped"   // an operator ended it
	FinalFailed    FinalStatus = "failed"    // it could not go on
)

// Session is one run of the market day.
type Session struct {
	SessionID         string  `json:"session_id"` // UUID
	Universe          string  `json:"universe"`
	SymbolUniverseKey string  `json:"symbol_universe_key"`
	StartedAt         Time    `json:"started_at"`
	StartTime         Time    `json:"start_time"`
	SymbolCount       int     `json:"symbol_count"`
	Status            string  `json:"status"` // "active"
	TriggerType       Trigger `json:"trigger_type"`
}

// SessionStarted announces a session; a repeated one has the same session id.
type SessionStarted struct {
	Type      string  `json:"type"`
	Session   Session `json:"session"`
	Timestamp Time    `json:"timestamp"`
	Source    string  `json:"source"`
}

// NewSessionStarted announces session at now.
func NewSessionStarted(session Session, now time.Time) SessionStarted {
	return SessionStarted{Type: "streaming_session_started", Session: session, Timestamp: At(now), Source: Source}
}

// SessionEnd is how a session ended.
type SessionEnd struct {
	SessionID       string      `json:"session_id"`
	StoppedAt       Time        `json:"stopped_at"`
	DurationSeconds int64       `json:"duration_seconds"`
	TotalPatterns   int64       `json:"total_patterns"`
	TotalIndicators int64       `json:"total_indicators"`
	FinalStatus     FinalStatus `json:"final_status"`
}

// SessionStopped announces the end of a session.
type SessionStopped struct {
	Type      string     `json:"type"`
	Session   SessionEnd `json:"session"`
	Timestamp Time       `json:"timestamp"`
	Source    string     `json:"source"`
}

// NewSessionStopped announces the end of a session at now.
func NewSessionStopped(end SessionEnd, now time.Time) SessionStopped {
	return SessionStopped{Type: "streaming_session_stopped", Session: end, Timestamp: At(now), Source: Source}
}
