package observe

import (
	"maps"
	"slices"
	"time"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/tick"
)

const (
	// clockSkew is how far two clocks may be apart. A report may be stored so long
	// after it was made, and an aggregate be dated by the end of its second.
	clockSkew = 3 * time.Second

	componentFeed  = "feed"
	componentAppV2 = "appv2"
)

// clocks examines whether the clocks agree: the NATS server's with this host's,
// those of the components with it, and the feed's with the NATS server's.
func (e *examination) clocks() {
	if off := e.f.ClockOffset; off.Abs() > clockSkew {
		e.blame(SeverityWarning, cause.ClockSkew, componentNATS, "that of NATS's host is %s health's", aheadOf(off))
	}
	worst := map[string]time.Duration{}
	for _, report := range e.f.Components {
		if report.StoredAt.IsZero() {
			continue
		}
		if off := report.ReportedAt.Sub(report.StoredAt); off.Abs() > max(clockSkew, worst[report.Role].Abs()) {
			worst[report.Role] = off
		}
	}
	for _, role := range slices.Sorted(maps.Keys(worst)) {
		e.blame(SeverityWarning, cause.ClockSkew, role, "that of the host of %s is %s health's", role, aheadOf(worst[role]))
	}
	switch flows := e.s.Now.Sub(e.f.LastTickAt) <= e.StallAfter; {
	case e.futures():
		e.blame(SeverityWarning, cause.ClockSkew, componentFeed, "%s refused in the last %s for being dated too far ahead of the bridge's clock",
			count(e.f.RejectReasons[string(tick.TimestampFuture)], "tick"), short(e.f.ErrorWindow))
	case flows && e.f.FeedAhead > clockSkew:
		e.blame(SeverityWarning, cause.ClockSkew, componentFeed, "ticks are dated %s ahead of NATS's clock", short(e.f.FeedAhead))
	}
}

// futures tells that what is refused is so for its date, and is more than strays.
func (e *examination) futures() bool {
	ahead := e.f.RejectReasons[string(tick.TimestampFuture)]
	return ahead >= e.RejectsAtLeast && 2*ahead > e.f.RejectsInWindow &&
		float64(ahead) > e.RejectShare*float64(e.f.RejectsInWindow+e.f.TicksInErrorWindow)
}

func aheadOf(off time.Duration) string {
	if off < 0 {
		return short(-off) + " behind"
	}
	return short(off) + " ahead of"
}
