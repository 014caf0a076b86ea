package observe

import (
	"fmt"
	"maps"
	"slices"

	"time"

	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	symbolsNamed = 5
	reasonsNamed = 3
)

// components examines who is there.
func (e *examination) components() {
	for _, role := range []struct{ name, code string }{
		{presence.RoleBridge, CodeBridgeMissing}, {presence.RolePipeline, CodePipelineMissing},
	} {
		if len(e.with(role.name)) > 0 || e.settling() && !e.holds(role.code, role.name) {
			continue
		}
		since := fmt.Sprintf("no report since health started %s ago", short(e.s.Now.Sub(e.s.StartedAt)))
		if last, ok := e.f.LastReports[role.name]; ok {
			since = fmt.Sprintf("no report for %s", short(e.s.Now.Sub(last)))
		}
		e.add(SeverityError, role.code, role.name,
			fmt.Sprintf("start it: tickstream %s; if it runs, check its NATS_URL and its log", role.name),
			"%s is missing: %s", role.name, since)
	}

	e.rivalry()
	recovered := e.back()
	if e.s.Redis.OK {
		recovered = latest(recovered, e.s.Redis.Since)
	}
	bridges := e.bridgesAfter(recovered)
	// Where Redis does not answer, that is why.
	if !down(e.s.Redis) && len(bridges) > 0 && !subscribed(e.bridges()) && (!e.settling() || e.holds(CodeBridgeNotSubscribed, presence.RoleBridge)) {
		severity := SeverityWarning
		if _, stalled := e.stalled(); stalled {
			severity = SeverityError
		}
		e.blame(severity, cause.BridgeDeaf, presence.RoleBridge, "what is published to %s is not stored", sources(bridges))
	}
	e.workers()
}

// workers examines whether each partition has an owner, once those that are
// present had time to take their share.
func (e *examination) workers() {
	workers := e.with(presence.RolePipeline)
	owned, longest := map[int]bool{}, time.Duration(0)
	for _, report := range workers {
		if report.Pipeline != nil {
			for _, p := range report.Pipeline.Partitions {
				owned[p.Number] = true
			}
			longest = max(longest, e.s.Now.Sub(report.StartedAt))
		}
	}
	if missing := e.f.Partitions - len(owned); missing > 0 && len(workers) > 0 && longest > e.MissingAfter && !e.settling() {
		e.add(SeverityWarning, CodeConsumerMissing, presence.RolePipeline, "look at the log of pipeline; restart it",
			"%d of %d partitions of %s have no owner among the %d pipelines: no bars are made of them", missing, e.f.Partitions, stream.Ticks, len(workers))
	}
}

// rivalry examines whether two bridges store the same ticks. One that died is
// still present for a while.
func (e *examination) rivalry() {
	active, most := map[string]int{}, ""
	for _, b := range e.bridges() {
		if b.State == presence.StateStandby || !b.Subscribed {
			continue
		}
		if active[b.Source]++; active[b.Source] > active[most] {
			most = b.Source
		}
	}
	switch {
	case active[most] < 2:
		e.rivals = time.Time{}
		return
	case e.rivals.IsZero():
		e.rivals = e.s.Now
	}
	if since := e.s.Now.Sub(e.rivals); since >= e.MissingAfter {
		e.add(SeverityError, CodeBridgesRival, presence.RoleBridge, "stop all of them but one",
			"%d bridges have been active on %s for %s: each of its ticks may be stored more than once", active[most], most, short(since))
	}
}

// stalled is since when ticks were to be expected, and whether that is too
// long ago.
func (e *examination) stalled() (since time.Time, stalled bool) {
	since = latest(e.f.LastTickAt, e.s.MarketOpenedAt, e.s.StartedAt, e.back())
	return since, e.s.MarketOpen && e.s.Now.Sub(since) > e.StallAfter
}

// flow examines whether ticks come, for all of the universe, and in time.
func (e *examination) flow() {
	since, stalled := e.stalled()
	if stalled {
		quiet := short(e.s.Now.Sub(since))
		when := "for " + quiet + " while the market is open"
		switch {
		case since.Equal(e.f.LastTickAt):
		case since.Equal(e.s.MarketOpenedAt):
			when = "since the market opened " + quiet + " ago"
		case since.Equal(e.back()):
			when = "since JetStream came back " + quiet + " ago, while the market is open"
		default:
			when = "since health started " + quiet + " ago, while the market is open"
		}
		e.noTicks(SeverityError, when)
	} else if e.quiet(since) {
		e.noTicks(SeverityWarning, "for "+short(e.s.Now.Sub(since))+" while the market is open")
	}
	// Where nothing comes at all, that is the issue, not each symbol.
	if !stalled {
		e.staleSymbols()
	}
	// The lag of ticks long past says nothing about now.
	if e.f.LastTickAt.IsZero() || e.s.Now.Sub(e.f.LastTickAt) > e.StallAfter {
		return
	}
	lag := e.f.IngestLag
	if severity := e.severity(CodeLagHigh, presence.RoleBridge, lag.Seconds(), e.LagWarning.Seconds(), e.LagCritical.Seconds()); severity != "" {
		clock := ""
		if e.f.ClockOffset != 0 {
			clock = fmt.Sprintf("; the NATS server's clock is off by %s", short(e.f.ClockOffset.Abs()))
		}
		e.add(severity, CodeLagHigh, presence.RoleBridge, "compare the clocks of the feed and of NATS; if they agree, look whether the feed is delayed or the bridge is overloaded",
			"ticks are stored %s after their event time, the bound is %s%s", short(lag), short(e.LagWarning), clock)
	}
}

// staleSymbols waits until each symbol had the time of the window for a tick.
func (e *examination) staleSymbols() {
	stale, size := len(e.f.StaleSymbols), e.f.UniverseSize
	if !e.s.MarketOpen || size == 0 || stale == 0 || e.f.FirstTickAt.IsZero() {
		return
	}
	if e.s.Now.Sub(latest(e.f.FirstTickAt, e.s.MarketOpenedAt, e.s.StartedAt, e.back())) < e.f.ActiveWindow {
		return
	}
	if e.above(CodeSymbolsStale, componentUniverse, float64(stale)/float64(size), e.StaleShare) {
		e.add(SeverityWarning, CodeSymbolsStale, componentUniverse, "see whether the feed covers these symbols",
			"%s of %s have no tick in the last %s: %s", humanize.Comma(int64(stale)), count(int64(size), "symbol"),
			short(e.f.ActiveWindow), some(e.f.StaleSymbols, symbolsNamed))
	}
}

// componentUniverse is where issues with single symbols are.
const componentUniverse = "universe"

// backlog examines what waits, in the bridges and for the consumers.
func (e *examination) backlog() {
	var blocked, queued int64
	for _, b := range e.bridgesAfter(e.back()) {
		blocked, queued = max(blocked, b.PublishBlockedMs), queued+b.QueuedTicks
	}
	wait := time.Duration(blocked) * time.Millisecond
	switch {
	case e.above(CodePublishBlocked, presence.RoleBridge, wait.Seconds(), e.PublishBlocked.Seconds()):
		e.add(SeverityWarning, CodePublishBlocked, presence.RoleBridge, "look at the logs of the bridge and of NATS",
			"JetStream has taken nothing from the bridge for %s, with %s waiting", short(wait), count(queued, "tick"))
	case e.above(CodeTicksQueued, presence.RoleBridge, float64(queued), float64(e.QueuedTicks)):
		e.add(SeverityWarning, CodeTicksQueued, presence.RoleBridge, "ticks come faster than JetStream takes them: look at NATS's disk and processor",
			"%s wait in the bridge for JetStream", count(queued, "tick"))
	}
	// Of a pipeline that is not there, or does nothing, that is the issue.
	if e.stalledPipeline() || len(e.with(presence.RolePipeline)) == 0 && !e.settling() {
		return
	}
	for _, c := range e.f.Consumers {
		severity := worse(
			e.severity(CodeConsumerBehind, c.Name, c.Lag.Seconds(), e.LagWarning.Seconds(), e.LagCritical.Seconds()),
			e.severity(CodeConsumerBehind, c.Name, float64(c.Pending), float64(e.PendingWarning), float64(e.PendingCritical)))
		if severity != "" {
			e.add(severity, CodeConsumerBehind, c.Name, "look whether the pipeline runs and is not overloaded",
				"consumer %s is %s behind, with %s waiting", c.Name, short(c.Lag), count(int64(c.Pending), "tick"))
		}
	}
}

// storage examines how far the database is behind, and what it cannot take.
func (e *examination) storage() {
	if lag := e.f.Rows.Lag; e.above(CodeRowsBehind, componentDatabase, lag.Seconds(), e.RowsBehind.Seconds()) {
		e.add(SeverityWarning, CodeRowsBehind, componentDatabase, "start PostgreSQL, or look at the log of pipeline; nothing is lost while it waits",
			"the database is %s behind, with %s waiting", short(lag), count(int64(e.f.Rows.Pending), "row"))
	}
	for _, report := range e.with(presence.RolePipeline) {
		if report.Store == nil || !report.Store.Active {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(report.Store.Skipped)) {
			e.add(SeverityWarning, CodeTableMismatch, name, "change the table as the sentence says, or rename it and let tickstream make its own",
				"rows wait for table %s: %s", name, report.Store.Skipped[name])
		}
	}
}

func worse(a, b Severity) Severity {
	if a.rank() >= b.rank() {
		return a
	}
	return b
}

// losses examines what did not become a tick in the error window.
func (e *examination) losses() {
	window := short(e.f.ErrorWindow)
	if n := e.f.ShedInWindow; n > 0 {
		e.add(SeverityWarning, CodeTicksShed, presence.RoleBridge, "see why JetStream takes ticks too slowly, or give the bridge more disk (--spool-bytes) and memory (--queue-bytes)",
			"%s given up in the last %s because the bridge had room for no more", count(n, "tick"), window)
	}
	if n := e.f.GapsInWindow; n > 0 {
		e.add(SeverityWarning, CodeGap, presence.RoleBridge, "look at the logs of Redis and of the bridge",
			"the bridge lost its subscription for %s in the last %s (%s): what was published meanwhile is lost",
			short(e.f.GapTime), window, count(n, "gap"))
	}
	rejects := e.f.RejectsInWindow
	total := rejects + e.f.TicksInErrorWindow
	if rejects >= e.RejectsAtLeast && !e.futures() && e.above(CodeRejects, presence.RoleBridge, float64(rejects)/float64(total), e.RejectShare) {
		e.add(SeverityWarning, CodeRejects, presence.RoleBridge, "look into the stream "+stream.Rejects+": it has each message and its reason",
			"%s of %s refused in the last %s: %s", humanize.Comma(rejects), count(total, "message"), window, byCount(e.f.RejectReasons, reasonsNamed))
	}
}
