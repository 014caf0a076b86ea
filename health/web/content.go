package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tickstock/tickstream/health"
)

// Content is what a server serves. What is nil is not there, but for the probes,
// which then are always well.
type Content struct {
	// Page answers at all paths that nothing else does; it guards itself.
	Page http.Handler
	// Event is the latest health event, nil before the first, at /health.
	Event func() []byte
	// Live and Ready say why the process does not live, or is not ready, at
	// /healthz and /readyz.
	Live, Ready func(context.Context) error
	// Metrics answer at /metrics.
	Metrics http.Handler
}

// Source is what the probes of health tell of; [health.Monitor] is one.
type Source interface {
	Snapshot() health.Snapshot
}

// stuckAfter is how many intervals a loop may take before the process counts
// as hung.
const stuckAfter = 3

// HealthContent is a page with the latest health event and the probes of source.
func HealthContent(source Source, page http.Handler) Content {
	return Content{
		Page:  page,
		Event: func() []byte { return source.Snapshot().Payload },
		Live:  func(context.Context) error { return live(source.Snapshot(), time.Now()) },
		Ready: func(context.Context) error {
			if !source.Snapshot().Published {
				return errors.New("no bus has taken a health event of this process yet: it stands by, or both buses are away")
			}
			return nil
		},
	}
}

// live tells whether the monitor's loops come round.
func live(s health.Snapshot, now time.Time) error {
	switch age := now.Sub(s.Beat); {
	case s.Beat.IsZero():
		return errors.New("the health monitor is not running")
	case age > stuckAfter*s.Interval:
		return fmt.Errorf("a loop of the health monitor has not come round for %s", age.Round(time.Second))
	}
	return nil
}
