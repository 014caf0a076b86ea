package health

import (
	"math"
	"slices"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

const (
	mebibyte     = 1 << 20
	staleListed  = 20 // of the stale symbols that an event names
	connected    = "connected"
	reconnecting = "reconnecting"
	disconnected = "disconnected"
)

// moment is all that one health event is made of.
type moment struct {
	now       time.Time
	uptime    time.Duration
	sessionID string
	facts     observe.Facts
	verdict   observe.Verdict
	usage     presence.Usage // of all processes together
	legacy    bool
}

// compose makes the event of m.
func compose(m moment) event.StreamingHealth {
	f := m.facts
	status, connection := connectionOf(f.Components, m.verdict)
	rate := round(f.TicksPerSecond, 2)
	memory := round(float64(m.usage.MemoryBytes)/mebibyte, 1)
	cpu := round(m.usage.CPUPercent, 1)
	issues := make([]string, 0, len(m.verdict.Issues))
	for _, issue := range m.verdict.Issues {
		issues = append(issues, issue.Sentence)
	}
	return event.NewStreamingHealth(event.Health{
		SessionID: m.sessionID, Status: word(m.verdict.Status, m.legacy),
		ActiveSymbols: f.ActiveSymbols, TicksPerSecond: rate,
		PatternsDetected: f.PatternsDetected, IndicatorsCalculated: f.IndicatorsCalculated,
		ErrorsCount: f.RejectsInWindow + f.GapsInWindow + f.ShedInWindow, UptimeSeconds: int64(m.uptime / time.Second),
		MemoryUsageMB: memory, CPUPercent: cpu,
		ConnectionStatus: status, Connection: connection,
		DataFlow: event.DataFlow{
			TicksPerSecond: rate, BarsPerMinute: round(f.BarsPerMinute, 1), ProcessingLagMs: milliseconds(lagOf(f)),
		},
		ResourceUsage: event.ResourceUsage{CPUPercent: cpu, MemoryMB: memory, ThreadsActive: m.usage.Threads},
		Resources:     event.Resources{CPUPercent: cpu, MemoryMB: memory, MemoryPercent: round(m.usage.MemoryPercent, 1)},
		StaleSymbols: event.StaleSymbols{
			Count: len(f.StaleSymbols), Symbols: slices.Clone(f.StaleSymbols[:min(staleListed, len(f.StaleSymbols))]),
		},
		Issues: issues, Timestamp: event.At(m.now),
	})
}

// word is the status as the page's generation paints it.
func word(status event.Status, legacy bool) event.Status {
	if !legacy {
		return status
	}
	switch status {
	case event.StatusStarting, event.StatusDegraded:
		return "warning"
	case event.StatusError:
		return "critical"
	}
	return status
}

// connectionOf says from the bridges' reports how ticks are listened to. That
// nobody listens is known once a bridge is missing; before that, it was not
// measured yet or the bridge has had no time to report.
func connectionOf(reports []presence.Report, v observe.Verdict) (string, event.Connection) {
	status, c := reconnecting, event.Connection{}
	if slices.ContainsFunc(v.Issues, func(i observe.Issue) bool { return i.Code == observe.CodeBridgeMissing }) {
		status = disconnected
	}
	for _, r := range reports {
		if r.Role != presence.RoleBridge || r.Bridge == nil {
			continue
		}
		if r.Bridge.Subscribed {
			c.Active++
		}
		c.Failed += r.Bridge.FailedConnects
		c.Reconnections += max(0, r.Bridge.Subscriptions-1)
		if status == disconnected {
			status = reconnecting
		}
	}
	if c.Active > 0 {
		status = connected
	}
	return status, c
}

// lagOf is how far behind the worst part is.
func lagOf(f observe.Facts) time.Duration {
	lag := max(0, f.IngestLag)
	for _, c := range f.Consumers {
		lag = max(lag, c.Lag)
	}
	return lag
}

// process tells processes apart: several components may run in one.
type process struct {
	host string
	pid  int
}

// together sums what all processes use; own is this one's, unless it reports.
func together(reports []presence.Report, self process, own presence.Usage) presence.Usage {
	uses := map[process]presence.Usage{self: own}
	newest := map[process]time.Time{}
	for _, r := range reports {
		p := process{r.Host, r.PID}
		if p == self || r.ReportedAt.Before(newest[p]) {
			continue // our own sample is fresher than our report
		}
		uses[p], newest[p] = r.Usage, r.ReportedAt
	}
	var sum presence.Usage
	for _, u := range uses {
		sum.CPUPercent += u.CPUPercent
		sum.MemoryBytes += u.MemoryBytes
		sum.MemoryPercent += u.MemoryPercent
		sum.Threads += u.Threads
	}
	return sum
}

func milliseconds(d time.Duration) float64 {
	return round(float64(d)/float64(time.Millisecond), 1)
}

// round cuts v, which JSON must be able to hold, to digits after the point; what
// is not zero does not become it.
func round(v float64, digits int) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return 0
	}
	scale := math.Pow10(digits)
	if cut := math.Round(v*scale) / scale; cut > 0 {
		return cut
	}
	return v
}
