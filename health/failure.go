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
// that answers has an event that says so, when ctx ends, or after 2 s, which is
// longer than the lease of a process that died before this one; then the process
// may end.
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

// hasTold tells that the event of an issue is out wherever it can go out.
func (m *Monitor) hasTold(issue observe.Issue) bool {
	u := m.latest.Load()
	if u == nil || u.verdict.Status == event.StatusStarting || !slices.Contains(u.verdict.Issues, issue) {
		return false
	}
	answers := false
	for _, p := range m.publishers() {
		if !p.reach.get().OK {
			continue
		}
		if answers = true; !p.leading.Load() || p.sent.Load() < u.seq {
			return false
		}
	}
	return answers
}
