package observe

import (
	"fmt"
	"time"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// unlikely is how many times longer than the mean pause between ticks a pause
	// must be to tell a feed that has ended from one that is slow.
	unlikely = 20
	// quietReport is how old a report may be while its component lives: what is
	// due each [presence.Interval] is looked at some time later.
	quietReport = 5 * time.Second
)

// quiet tells that ticks came steadily and do so no more, since a time from which
// on they were to be expected.
func (e *examination) quiet(since time.Time) bool {
	if !e.s.MarketOpen || e.f.TicksInErrorWindow == 0 {
		return false
	}
	pause := e.f.ErrorWindow / time.Duration(e.f.TicksInErrorWindow)
	return e.s.Now.Sub(since) > max(e.QuietAfter, unlikely*pause)
}

// noTicks adds that no tick comes, by the first broken link of the chain. What is
// only a warning yet is left to the issue that the link itself has, if it has one.
func (e *examination) noTicks(severity Severity, when string) {
	missing := "no tick stored " + when + "; "
	add := func(mend, why string) {
		e.add(severity, CodeNoTicks, presence.RoleBridge, mend, "%s", missing+why)
	}
	bridges, silent := e.speaking()
	var blocked, queued int64
	for _, b := range bridges {
		blocked, queued = max(blocked, b.PublishBlockedMs), queued+b.QueuedTicks
	}
	switch {
	case len(bridges) == 0 && silent > 0:
		add("start it: tickstream bridge; look at its log", "the bridge has not reported for "+short(silent))
	case severity == SeverityWarning && (len(bridges) == 0 || !subscribed(bridges) || blocked > 0 || e.f.RejectsInWindow > 0):
	case len(bridges) == 0:
		add("start it: tickstream bridge", "no bridge is running")
	case down(e.s.Redis) && !subscribed(bridges):
		add(cause.RedisDown.Mend, cause.RedisDown.Says)
	case !subscribed(bridges):
		add(cause.BridgeDeaf.Mend, cause.BridgeDeaf.Says+" to "+sources(bridges))
	case blocked > 0:
		add("look at the logs of the bridge and of NATS", fmt.Sprintf("the bridge holds %s that JetStream does not take", count(queued, "tick")))
	case e.futures():
		add(cause.ClockSkew.Mend, cause.ClockSkew.Says)
	case e.f.RejectsInWindow > 0:
		add("look into the stream "+stream.Rejects+": it has each message and its reason",
			fmt.Sprintf("%s refused in the last %s: %s", count(e.f.RejectsInWindow, "message"), short(e.f.ErrorWindow), byCount(e.f.RejectReasons, reasonsNamed)))
	default:
		e.blame(severity, cause.NoPublisher, presence.RoleBridge,
			"%sthe bridge is subscribed to %s: nothing publishes there", missing, sources(bridges))
	}
}

// speaking are the bridges that report, and for how long the others have not.
func (e *examination) speaking() (bridges []presence.Bridge, silent time.Duration) {
	for _, report := range e.with(presence.RoleBridge) {
		heard := report.Heard()
		switch {
		case report.Bridge == nil:
		case heard.IsZero() || e.s.Now.Sub(heard) <= quietReport:
			bridges = append(bridges, *report.Bridge)
		default:
			silent = max(silent, e.s.Now.Sub(heard))
		}
	}
	return bridges, silent
}

// stalledPipeline examines whether ticks wait for a pipeline that is there and
// reads none.
func (e *examination) stalledPipeline() bool {
	var lag time.Duration
	var pending uint64
	for _, c := range e.f.Consumers {
		lag, pending = max(lag, c.Lag), pending+c.Pending
	}
	since := latest(e.f.PipelineMovedAt, e.s.StartedAt, e.back())
	still := e.s.Now.Sub(since)
	if len(e.with(presence.RolePipeline)) == 0 || e.f.PipelineMovedAt.IsZero() || still <= quietReport || lag <= quietReport {
		return false
	}
	severity := SeverityWarning
	if still > e.MissingAfter {
		severity = SeverityError
	}
	e.blame(severity, cause.PipelineStalled, presence.RolePipeline, "it has read nothing for %s, and %s wait, the oldest for %s",
		short(still), count(int64(pending), "message"), short(lag)) //nolint:gosec // no stream holds so many
	return true
}

// audience examines whether anybody listens to health on Redis, who would else
// show what was true before. That nobody has come yet is no fault.
func (e *examination) audience() {
	a := e.s.Audience
	switch {
	case a == nil || a.Listeners > 0 || down(e.s.Redis):
	case a.LeftAt.IsZero():
		if uptime := e.s.Now.Sub(e.s.StartedAt); uptime > e.MissingAfter {
			e.blame(SeverityInfo, cause.NobodyListens, componentAppV2, "none was on %s in the %s since health started", a.Channel, short(uptime))
		}
	case e.s.Now.Sub(a.LeftAt) > e.RecoverAfter:
		e.blame(SeverityWarning, cause.NobodyListens, componentAppV2, "the last one left %s %s ago", a.Channel, short(e.s.Now.Sub(a.LeftAt)))
	}
}
