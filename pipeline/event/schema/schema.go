// Package schema holds the JSON Schemas of tickstream's events.
package schema

import "embed"

// The files of [FS].
const (
	SessionStarted = "session_started.json"
	SessionStopped = "session_stopped.json"
	Health         = "health.json"
	CriticalAlert  = "critical_alert.json"
)

// FS holds one JSON Schema (draft 2020-12) an event.
//
//go:embed *.json
var FS embed.FS
