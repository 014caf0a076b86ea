package egress

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
)

// errorLimiter makes error events of rejects: at most one a reason and interval,
// which tells how many it stands for. It belongs to one goroutine.
type errorLimiter struct {
	channel  string
	interval time.Duration
	reasons  map[string]*faults
}

// faults of one reason that were not told yet.
type faults struct {
	told   time.Time
	count  int
	detail string
	from   string
	id     string
}

func newErrorLimiter(channel string, interval time.Duration) *errorLimiter {
	return &errorLimiter{channel: channel, interval: interval, reasons: map[string]*faults{}}
}

// take notes a reject; due tells of it.
func (l *errorLimiter) take(msg jetstream.Msg) ([]publication, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read reject: %w", err)
	}
	reason := cmp.Or(msg.Headers().Get(event.HeaderRejectReason), msg.Subject())
	f := l.reasons[reason]
	if f == nil {
		f = &faults{}
		l.reasons[reason] = f
	}
	f.count++
	f.detail, f.from = msg.Headers().Get(event.HeaderRejectDetail), msg.Headers().Get(event.HeaderRejectSource)
	f.id = fmt.Sprintf("reject %d %d", meta.Timestamp.UnixNano(), meta.Sequence.Stream)
	return nil, nil
}

// due are the errors to be told of now, by reason.
func (l *errorLimiter) due(now time.Time) []publication {
	var reasons []string
	for reason, f := range l.reasons {
		if f.count > 0 && now.Sub(f.told) >= l.interval {
			reasons = append(reasons, reason)
		}
	}
	slices.Sort(reasons)
	var out []publication
	for _, reason := range reasons {
		f := l.reasons[reason]
		message := fmt.Sprintf("%d refused as %s, the last from %s: %s", f.count, reason, cmp.Or(f.from, "an unknown source"), f.detail)
		if payload, err := json.Marshal(event.NewError(f.id, event.SeverityWarning, componentOf(reason), message, now)); err == nil { // it always marshals
			out = append(out, publication{l.channel, payload})
		}
		f.told, f.count = now, 0
	}
	return out
}

// componentOf is who refuses for a reason.
func componentOf(reason string) string {
	switch reason {
	case "database":
		return "store"
	case "too_late", "subject_mismatch", "clock_mark_unreadable":
		return "pipeline"
	default:
		return "bridge"
	}
}
