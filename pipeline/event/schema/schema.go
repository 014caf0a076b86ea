// Package schema holds the JSON Schemas of tickstream's events.
package schema

import "embed"

// The files of [FS].
const (
	SessionStarted = "session_started.json"
	SessionStopped = "session_stopped.json"
	Health         = "health.json"
	CriticalAlert  = "critical_alert.json"

	Bar       = "bar.json"
	Indicator = "indicator.json"
	Pattern   = "pattern.json"
	Alert     = "alert.json"

	StreamingPattern   = "streaming_pattern.json"
	StreamingIndicator = "streaming_indicator.json"
	IndicatorAlert     = "indicator_alert.json"
	Persistence        = "persistence.json"
	Error              = "error.json"
	PatternEvent       = "pattern_event.json"
)

// FS holds one JSON Schema (draft 2020-12) an event.
//
//go:embed *.json
var FS embed.FS
