package health

import (
	"context"
	"slices"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
)

const (
	failureTimeout = 2 * time.Second
	failurePoll    = 10 * time.Millisecond
)

// Failed tells that a component of this process has ended by err and takes the
// process with it. The status is error from then on. It returns when each bus
// that this process publishes on has an event that says so, when ctx ends, or
// after 2 s; then the process may end.
func (m *Monitor) Failed(ctx context.Context, component string, err error) {
	issue := failureIssue(component, err)
	m.mu.Lock()
	m.failures = append(m.failures, issue)
	m.mu.Unlock()
	m.stir()
	ctx, cancel := context.WithTimeout(ctx, failureTimeout)
	defer cancel()
	ticker := time.NewTicker(failurePoll)
	defer ticker.Stop()
	for !m.hasTold(issue) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// hasTold tells that the event of an issue is out wherever it will go out soon.
func (m *Monitor) hasTold(issue observe.Issue) bool {
	u := m.latest.Load()
	if u == nil || u.verdict.Status == event.StatusStarting || !slices.Contains(u.verdict.Issues, issue) {
		return false
	}
	leads := false
	for _, p := range m.publishers() {
		if !p.leading.Load() || !p.reach.get().OK {
			continue
		}
		if leads = true; p.sent.Load() < u.seq {
			return false
		}
	}
	return leads
}
