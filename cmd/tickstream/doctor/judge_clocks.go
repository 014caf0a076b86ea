package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/tickstock/tickstream/health/cause"
)

const (
	noticeableSkew = 500 * time.Millisecond
	// harmfulSkew is how far clocks may be apart at most: from a minute on ticks of
	// the future are refused, and lags are measured wrong before that.
	harmfulSkew = 3 * time.Second
)

// clocks judges whether the clocks agree: those of the servers, of the hosts of
// components, and of the feed.
func (f Facts) clocks() verdict {
	var said []string
	state := OK
	worse := func(s State) {
		if state == OK || s == Failed {
			state = s
		}
	}
	compare := func(name string, off time.Duration) {
		said = append(said, fmt.Sprintf("%s %+d ms", name, off.Milliseconds()))
		switch {
		case off.Abs() > harmfulSkew:
			worse(Failed)
		case off.Abs() > noticeableSkew:
			worse(Warning)
		}
	}
	if f.NATS.Skew != nil {
		compare("NATS", *f.NATS.Skew)
	}
	if f.Redis.Skew != nil {
		compare("Redis", *f.Redis.Skew)
	}
	// A report may be stored some time after it was made.
	for _, report := range f.NATS.Components {
		if off := report.ReportedAt.Sub(report.StoredAt); !report.StoredAt.IsZero() && off.Abs() > harmfulSkew {
			if f.NATS.Skew != nil {
				off += *f.NATS.Skew
			}
			compare("the host of "+report.Role, off)
		}
	}
	// A feed may be delayed, and date an aggregate by the end of its second.
	if ahead := f.Redis.FeedAhead; ahead != nil {
		switch {
		case *ahead > harmfulSkew:
			compare("the feed", *ahead)
		case *ahead < -harmfulSkew:
			said = append(said, fmt.Sprintf("the feed %+d ms, unless it is delayed", ahead.Milliseconds()))
			worse(Warning)
		}
	}
	if len(said) == 0 {
		return notToSee("no server to compare with")
	}
	detail := strings.Join(said, ", ") + " against this machine"
	if state == OK {
		return ok(detail)
	}
	return blame(state, cause.ClockSkew, detail)
}
