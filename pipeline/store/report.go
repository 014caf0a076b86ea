package store

import (
	"sync"
	"time"
)

// Report is what only the store knows, since its process started.
type Report struct {
	Writer     bool          `json:"writer"` // whether this process holds the lease
	Rows       int64         `json:"rows"`
	Refused    int64         `json:"refused"`              // events in REJECTS
	LastError  string        `json:"last_error,omitempty"` // empty while all tables are written
	LastCommit time.Time     `json:"last_commit,omitzero"` // of any table
	Tables     []TableReport `json:"tables"`               // one a lane
}

// TableReport is one table's part of a [Report].
type TableReport struct {
	Table      string    `json:"table"`
	Consumer   string    `json:"consumer"`
	Rows       int64     `json:"rows"` // inserted, changed or deleted
	Refused    int64     `json:"refused"`
	LastCommit time.Time `json:"last_commit,omitzero"`
	// LastRefusal is why the last event was refused.
	LastRefusal string `json:"last_refusal,omitempty"`
	// Skipped says why the table cannot be written; empty while it can.
	Skipped string `json:"skipped,omitempty"`
	// Error is what keeps the table from being written now, passing or not.
	Error string `json:"error,omitempty"`
	// Unrevised says that the table has no column for revisions, so that the
	// order of the stream alone decides which one stands.
	Unrevised bool `json:"unrevised,omitempty"`
}

// progress is a table's report while it changes.
type progress struct {
	mu sync.Mutex
	TableReport
}

func (p *progress) change(f func(*TableReport)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.TableReport)
}

func (p *progress) read() TableReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.TableReport
}

// Report returns the counters as they are now.
func (s *Store) Report() Report {
	r := Report{Writer: s.writing.Load(), Tables: make([]TableReport, len(s.lanes))}
	for i, l := range s.lanes {
		t := l.progress.read()
		r.Tables[i] = t
		r.Rows += t.Rows
		r.Refused += t.Refused
		if t.Error != "" {
			r.LastError = t.Table + ": " + t.Error
		}
		if t.LastCommit.After(r.LastCommit) {
			r.LastCommit = t.LastCommit
		}
	}
	return r
}
