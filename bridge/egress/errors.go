package egress

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// errorLimiter makes error events of rejects: at most one a reason and interval,
// which tells how many it stands for. It belongs to one goroutine. A process
// that is killed takes the counts of the last interval with it; the rejects
// themselves stay in their stream.
type errorLimiter struct {
	egress  *Egress
	reasons map[string]*faults
}

// faults of one reason that were not told yet, and the last of them.
type faults struct {
	told   time.Time
	count  int
	detail string
	from   string
	at     time.Time
	id     string
}

func newErrorLimiter(e *Egress) *errorLimiter {
	return &errorLimiter{egress: e, reasons: map[string]*faults{}}
}

// take notes a reject; due tells of it.
func (l *errorLimiter) take(_ *outbox, msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
	if !l.egress.fresh(meta.Timestamp) {
		return nil
	}
	headers := msg.Headers()
	reason := cmp.Or(headers.Get(event.HeaderRejectReason), strings.TrimPrefix(msg.Subject(), strings.TrimSuffix(stream.AllRejects, "*")))
	f := l.reasons[reason]
	if f == nil {
		f = &faults{}
		l.reasons[reason] = f
	}
	f.count++
	f.detail, f.from, f.at = headers.Get(event.HeaderRejectDetail), headers.Get(event.HeaderRejectSource), meta.Timestamp
	// The time tells a stream that was made anew from the one before.
	f.id = fmt.Sprintf("reject %d %d", meta.Timestamp.UnixNano(), meta.Sequence.Stream)
	return nil
}

// due tells of what may be told now, and with last of all, by reason.
func (l *errorLimiter) due(out *outbox, now time.Time, last bool) {
	var reasons []string
	for reason, f := range l.reasons {
		switch quiet := now.Sub(f.told) >= l.egress.cfg.ErrorInterval; {
		case f.count > 0 && (quiet || last):
			reasons = append(reasons, reason)
		case f.count == 0 && quiet:
			delete(l.reasons, reason) // reasons are any word that somebody publishes
		}
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		f := l.reasons[reason]
		message := fmt.Sprintf("%d refused as %s, the last from %s", f.count, reason, cmp.Or(f.from, "an unknown source"))
		if f.detail != "" {
			message += ": " + f.detail
		}
		e := event.NewError(f.id, event.SeverityWarning, componentOf(reason), message, f.at)
		if _, err := out.marshal(l.egress.cfg.Channels.Errors, e); err != nil {
			l.egress.log.Warn("an error event cannot be encoded", "err", err)
		}
		f.told, f.count = now, 0
	}
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
