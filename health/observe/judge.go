package observe

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
)

type issueKey struct{ code, component string }

// held is an issue that the verdict has, and when it was last found as grave.
type held struct {
	Issue
	at   time.Time
	over bool // it is found no more
}

// Judge turns facts into a status. It remembers only what hysteresis needs, has
// no clock but Surroundings.Now, and is safe for concurrent use.
type Judge struct {
	thresholds Thresholds

	mu     sync.Mutex
	held   map[issueKey]held
	flowed bool      // a tick was measured
	rivals time.Time // since when there is more than one active bridge
}

// NewJudge makes a judge. The error is that of [Thresholds.Validate].
func NewJudge(thresholds Thresholds) (*Judge, error) {
	if err := thresholds.Validate(); err != nil {
		return nil, fmt.Errorf("health thresholds: %w", err)
	}
	return &Judge{thresholds: thresholds.withDefaults(), held: map[issueKey]held{}}, nil
}

// Verdict judges facts. What is worse than before counts at once; what is
// better once it has been so for Thresholds.RecoverAfter.
func (j *Judge) Verdict(facts Facts, around Surroundings) Verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := examination{Thresholds: j.thresholds, f: facts, s: around, held: j.held, rivals: j.rivals}
	e.run()
	j.rivals = e.rivals
	j.flowed = j.flowed || flows(facts)
	issues := j.settle(e.issues, around.Now)

	status := event.StatusHealthy
	for _, issue := range issues {
		switch {
		case issue.Severity == SeverityError:
			status = event.StatusError
		case issue.Severity == SeverityWarning && status == event.StatusHealthy:
			status = event.StatusDegraded
		}
	}
	switch uptime := around.Now.Sub(around.StartedAt); {
	case around.Stopping:
		status = event.StatusStopping
		issues = append(issues, Issue{Code: CodeStopping, Severity: SeverityInfo, Component: componentHealth,
			Sentence: fmt.Sprintf("health was asked to end after %s", short(uptime))})
	case (facts.FirstTickAt.IsZero() || !j.flowed) && uptime < j.thresholds.StartupGrace && !down(around.Streams):
		status = event.StatusStarting
		sentence := fmt.Sprintf("started %s ago and no tick of the session has been measured yet; that is no fault for %s", short(uptime), short(j.thresholds.StartupGrace))
		if !around.MarketOpen {
			sentence = fmt.Sprintf("started %s ago; no tick is expected, because the market is closed or no session runs", short(uptime))
		}
		issues = append(issues, Issue{Code: CodeStarting, Severity: SeverityInfo, Component: componentHealth, Sentence: sentence})
	}
	return Verdict{Status: status, Issues: issues}
}

// flows tells that ticks are measured, with their symbols.
func flows(f Facts) bool {
	return f.TicksPerSecond > 0 && (f.ActiveSymbols > 0 || len(f.Incomplete) == 0)
}

// settle keeps what was found, and what is gone or milder for less than
// RecoverAfter, which it says; the gravest comes first.
func (j *Judge) settle(found []Issue, now time.Time) []Issue {
	if len(found) == 0 && len(j.held) == 0 {
		return nil
	}
	next := make(map[issueKey]held, len(found))
	settled := make([]Issue, 0, len(found))
	for _, issue := range found {
		key := issueKey{issue.Code, issue.Component}
		kept := held{issue, now, false}
		if before, ok := j.held[key]; ok && before.Severity.rank() > issue.Severity.rank() && j.holds(before, now) {
			kept.Severity, kept.at = before.Severity, before.at
		}
		next[key] = kept
		settled = append(settled, kept.Issue)
	}
	var gone []Issue
	for key, before := range j.held {
		if _, ok := next[key]; !ok && j.holds(before, now) {
			before.over = true
			next[key] = before
			issue := before.Issue
			issue.Sentence = fmt.Sprintf("over for %s: %s", short(now.Sub(before.at)), before.Sentence)
			gone = append(gone, issue)
		}
	}
	slices.SortFunc(gone, byCode)
	settled = append(settled, gone...)
	slices.SortStableFunc(settled, func(a, b Issue) int { return b.Severity.rank() - a.Severity.rank() })
	j.held = next
	return settled
}

func byCode(a, b Issue) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Component, b.Component))
}

// holds tells whether before still counts. A clock that was set back must not
// keep it for longer.
func (j *Judge) holds(before held, now time.Time) bool {
	age := now.Sub(before.at)
	return age >= 0 && age < j.thresholds.RecoverAfter
}
