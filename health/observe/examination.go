package observe

import (
	"fmt"
	"slices"
	"time"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// The components of issues that are no role of their own.
const (
	componentHealth   = presence.RoleHealth
	componentNATS     = "nats"
	componentRedis    = "redis"
	componentDatabase = "database"
	componentStreams  = "streams"
)

// examination looks for issues in one set of facts.
type examination struct {
	Thresholds
	f      Facts
	s      Surroundings
	held   map[issueKey]held
	rivals time.Time // since when there is more than one active bridge
	issues []Issue
}

func (e *examination) add(severity Severity, code, component, mend, format string, args ...any) {
	e.issues = append(e.issues, Issue{
		Code: code, Severity: severity, Component: component, Mend: mend, Sentence: fmt.Sprintf(format, args...),
	})
}

// blame adds an issue that is one of the causes.
func (e *examination) blame(severity Severity, c cause.Cause, component, format string, args ...any) {
	e.issues = append(e.issues, Issue{
		Code: c.Code, Severity: severity, Component: component, Mend: c.Mend, Sentence: c.Sentence(fmt.Sprintf(format, args...)),
	})
}

// severity is how bad a value above its bounds is; nothing if it is below. An
// issue that is held ends by a margin below its bound only.
func (e *examination) severity(code, component string, value, warning, critical float64) Severity {
	lower := 1 - e.RecoverMargin
	was := e.held[issueKey{code, component}].Severity
	if was == SeverityError {
		critical *= lower
	}
	if was != "" {
		warning *= lower
	}
	switch {
	case value > critical:
		return SeverityError
	case value > warning:
		return SeverityWarning
	}
	return ""
}

// above tells whether a value is above the one bound that it has.
func (e *examination) above(code, component string, value, bound float64) bool {
	return e.severity(code, component, value, bound, bound) != ""
}

// run looks at the buses and, where what was measured can be relied on, at
// everything else.
func (e *examination) run() {
	e.buses()
	usable := false
	switch measured := e.s.Now.Sub(e.f.At); {
	case down(e.f.JetStream):
		e.blame(SeverityError, cause.NATSDown, componentNATS, "JetStream has not since %s (%s)%s",
			e.f.JetStream.Since.UTC().Format("15:04:05 UTC"), short(e.s.Now.Sub(e.f.JetStream.Since)), because(e.f.JetStream.Err))
	case e.f.At.IsZero():
		if uptime := e.s.Now.Sub(e.s.StartedAt); uptime > e.MeasureStale {
			e.add(SeverityError, CodeMeasurementsStale, componentHealth, "look at the log of health",
				"nothing has been measured since health started %s ago", short(uptime))
		}
	case measured > e.MeasureStale:
		e.add(SeverityError, CodeMeasurementsStale, componentHealth, "look at the log of health; restart it",
			"measurements are stale: the last one succeeded %s ago", short(measured))
	default:
		usable = true
	}
	if !usable {
		e.keep()
		return
	}
	e.streams()
	e.components()
	e.clocks()
	e.flow()
	e.backlog()
	e.spools()
	e.storage()
	e.losses()
}

// keep leaves what was found on the streams as it was: that they cannot be
// measured ends no fault.
func (e *examination) keep() {
	var kept []Issue
	for _, before := range e.held {
		switch before.Code {
		case CodeJetStreamUnreachable, CodeMeasurementsStale, CodeNATSUnreachable, CodeRedisUnreachable, CodeDatabaseUnreachable, CodeStreamsConflict,
			CodeNobodyListens:
		default:
			if before.over {
				continue
			}
			kept = append(kept, before.Issue)
		}
	}
	slices.SortFunc(kept, byCode)
	e.issues = append(e.issues, kept...)
}

func (e *examination) holds(code, component string) bool {
	_, ok := e.held[issueKey{code, component}]
	return ok
}

// down tells of what was tried and does not answer.
func down(r Reach) bool { return !r.OK && (r.Err != "" || !r.Since.IsZero()) }

// buses examines what health is published on, the database, and what only this
// process knows of the streams.
func (e *examination) buses() {
	if down(e.s.NATS) && !down(e.f.JetStream) {
		e.add(SeverityWarning, CodeNATSUnreachable, componentNATS, "look at the log of health; check the permissions of its NATS user and the streams",
			"health events have not gone out on NATS for %s%s", short(e.s.Now.Sub(e.s.NATS.Since)), because(e.s.NATS.Err))
	}
	if down(e.s.Redis) {
		e.blame(SeverityWarning, cause.RedisDown, componentRedis, "health events have not gone out on Redis for %s%s", short(e.s.Now.Sub(e.s.Redis.Since)), because(e.s.Redis.Err))
	}
	e.audience()
	if db := e.s.Database; db != nil && down(*db) {
		e.add(SeverityWarning, CodeDatabaseUnreachable, componentDatabase, "start PostgreSQL, or check DATABASE_URL",
			"PostgreSQL has not answered for %s%s", short(e.s.Now.Sub(db.Since)), because(db.Err))
	}
	if down(e.s.Streams) {
		e.add(SeverityError, CodeStreamsConflict, componentStreams, "do as it says; it is tried again every half minute",
			"the streams cannot be prepared%s", because(e.s.Streams.Err))
	}
}

// streams examines whether all exist, and can be measured.
func (e *examination) streams() {
	const mend = "start the bridge or the pipeline, which make what is missing"
	for _, name := range e.f.MissingStreams {
		switch {
		case e.settling() && !e.holds(CodeStreamMissing, name):
			// Whoever starts first makes them.
		case name == stream.Ticks:
			e.add(SeverityError, CodeStreamMissing, name, mend, "stream %s does not exist: no tick can be stored", name)
		case name == stream.ComponentsBucket:
			e.add(SeverityWarning, CodeStreamMissing, name, mend, "bucket %s does not exist", name)
		default:
			e.add(SeverityWarning, CodeStreamMissing, name, mend, "stream %s does not exist", name)
		}
	}
	for _, part := range e.f.Incomplete {
		if since := e.s.Now.Sub(part.Since); since > e.MeasureStale {
			e.add(SeverityWarning, CodeMeasurementIncomplete, part.Part, "look at the log of health; check the permissions of its NATS user",
				"%s could not be measured for %s%s", part.Part, short(since), because(part.Err))
		}
	}
}

// back is when JetStream began to answer; zero if it does not.
func (e *examination) back() time.Time {
	if e.f.JetStream.OK {
		return e.f.JetStream.Since
	}
	return time.Time{}
}

// settling tells that this process or JetStream has only just come up, so that
// what is not there may not have had the time.
func (e *examination) settling() bool {
	return e.s.Now.Sub(latest(e.s.StartedAt, e.back())) < e.MissingAfter
}

// with returns the reports of one role.
func (e *examination) with(role string) []presence.Report {
	var reports []presence.Report
	for _, report := range e.f.Components {
		if report.Role == role {
			reports = append(reports, report)
		}
	}
	return reports
}

// bridges are what the bridges say; one of several may stand by.
func (e *examination) bridges() []presence.Bridge {
	var bridges []presence.Bridge
	for _, report := range e.with(presence.RoleBridge) {
		if report.Bridge != nil {
			bridges = append(bridges, *report.Bridge)
		}
	}
	return bridges
}

// bridgesAfter are the bridges that had the time of a report after t: what one
// said before a bus came back says nothing of what came after.
func (e *examination) bridgesAfter(t time.Time) []presence.Bridge {
	var bridges []presence.Bridge
	for _, report := range e.with(presence.RoleBridge) {
		if report.Bridge != nil && (report.Heard().IsZero() || report.Heard().Sub(t) >= presence.Interval) {
			bridges = append(bridges, *report.Bridge)
		}
	}
	return bridges
}

func subscribed(bridges []presence.Bridge) bool {
	return slices.ContainsFunc(bridges, func(b presence.Bridge) bool { return b.Subscribed })
}

// sources are what the bridges read from.
func sources(bridges []presence.Bridge) string {
	var names []string
	for _, b := range bridges {
		if b.Source != "" && !slices.Contains(names, b.Source) {
			names = append(names, b.Source)
		}
	}
	if len(names) == 0 {
		return "its source"
	}
	return some(names, len(names))
}
