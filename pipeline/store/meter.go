package store

import (
	"maps"
	"sync"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

// meter counts what is stored.
type meter struct {
	mu     *sync.Mutex
	report presence.Store
}

func newMeter() meter {
	return meter{mu: &sync.Mutex{}, report: presence.Store{
		Rows: map[string]int64{}, Refused: map[string]int64{}, Pending: map[string]uint64{}, Skipped: map[string]string{},
	}}
}

func (m *meter) with(change func(*presence.Store)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.report)
}

func (m *meter) writing(active bool) {
	m.with(func(r *presence.Store) { r.Active = active })
}

func (m *meter) stored(table string, rows int) {
	m.with(func(r *presence.Store) {
		r.Rows[table] += int64(rows)
		r.StoredAt, r.Error = time.Now().UTC(), ""
	})
}

func (m *meter) refused(table string) {
	m.with(func(r *presence.Store) { r.Refused[table]++ })
}

func (m *meter) pending(consumer string, n uint64) {
	m.with(func(r *presence.Store) { r.Pending[consumer] = n })
}

func (m *meter) failed(what string, err error) {
	m.with(func(r *presence.Store) { r.Failures++; r.Error = what + ": " + err.Error() })
}

// skipped notes why a table is not filled; true where that is new.
func (m *meter) skipped(table string, err error) (fresh bool) {
	m.with(func(r *presence.Store) {
		_, known := r.Skipped[table]
		fresh = !known
		r.Skipped[table] = err.Error()
	})
	return fresh
}

func (m *meter) fits(table string) {
	m.with(func(r *presence.Store) { delete(r.Skipped, table) })
}

// Report is what only the store knows, for its pipeline's presence.
func (s *Store) Report() *presence.Store {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	r := s.meter.report
	r.Rows, r.Refused, r.Pending, r.Skipped = maps.Clone(r.Rows), maps.Clone(r.Refused), maps.Clone(r.Pending), maps.Clone(r.Skipped)
	return &r
}
