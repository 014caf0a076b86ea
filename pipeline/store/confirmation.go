package store

import (
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
)

// PersistenceSubject carries a confirmation of each stored batch as a plain
// NATS message, which no stream keeps.
const PersistenceSubject = "tickstock.persistence"

// confirmation is AppV2's persistence event.
type confirmation struct {
	Type      string     `json:"type"`
	SessionID string     `json:"session_id"`
	Table     string     `json:"table"`
	Rows      int64      `json:"rows"`
	Timestamp event.Time `json:"timestamp"`
}

func newConfirmation(sessionID, table string, rows int64, now time.Time) confirmation {
	return confirmation{Type: "persistence", SessionID: sessionID, Table: table, Rows: rows, Timestamp: event.At(now)}
}
