package web

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// The tones of the page, in style.css.
const (
	toneGood    = "good"
	toneWarning = "warning"
	toneBad     = "bad"
	toneWaiting = "waiting"
)

// view is the page in words.
type view struct {
	Status, Tone, Said string
	Refresh            int // seconds
	Issues             []observe.Issue
	Session            []pair
	Numbers            []pair
	Buses              []row
	Components         []row
	Stale              event.StaleSymbols
}

type pair struct{ Name, Value string }

type row struct {
	Tone  string
	Cells []string
}

func newView(s health.Snapshot, now time.Time) view {
	v := view{
		Status: "starting", Tone: toneWaiting, Said: "no health event yet", Refresh: max(1, int(s.Interval/time.Second)),
		Issues: s.Issues, Session: sessionOf(s), Buses: busesOf(s, now), Components: componentsOf(s, now),
	}
	if s.Payload == nil {
		return v
	}
	h := s.Event.Health
	v.Status, v.Tone = string(h.Status), toneOf(h.Status)
	v.Said = "as of " + clock(h.Timestamp.Time)
	if age := now.Sub(h.Timestamp.Time); age > stuckAfter*s.Interval {
		v.Status, v.Tone = "unknown", toneBad
		v.Said = "the last health event is " + span(age) + " old"
	}
	v.Stale = h.StaleSymbols
	v.Numbers = []pair{
		{"Ticks a second", number(h.TicksPerSecond)},
		{"Active symbols", fmt.Sprintf("%d of %d", h.ActiveSymbols, max(s.Facts.UniverseSize, h.ActiveSymbols))},
		{"Processing lag", number(h.DataFlow.ProcessingLagMs) + " ms"},
		{"Bars a minute", number(h.DataFlow.BarsPerMinute)},
		{"Patterns", strconv.FormatInt(h.PatternsDetected, 10)},
		{"Indicators", strconv.FormatInt(h.IndicatorsCalculated, 10)},
		{"Errors lately", strconv.FormatInt(h.ErrorsCount, 10)},
		{"Source", fmt.Sprintf("%s, %d reconnections", h.ConnectionStatus, h.Connection.Reconnections)},
		{"CPU", number(h.CPUPercent) + " % of a core"},
		{"Memory", number(h.MemoryUsageMB) + " MiB"},
		{"Uptime", span(time.Duration(h.UptimeSeconds) * time.Second)},
	}
	return v
}

func toneOf(status event.Status) string {
	switch status {
	case event.StatusHealthy:
		return toneGood
	case event.StatusDegraded, "warning":
		return toneWarning
	case event.StatusStarting, event.StatusStopping:
		return toneWaiting
	}
	return toneBad
}

func sessionOf(s health.Snapshot) []pair {
	r := s.Session
	if r.IsZero() {
		return []pair{{"Session", "none yet"}}
	}
	pairs := []pair{
		{"Session", r.SessionID},
		{"Universe", fmt.Sprintf("%s, %d symbols", r.Universe, r.SymbolCount)},
		{"Market day", r.MarketDate},
		{"Started", clock(r.StartedAt.Time) + ", " + string(r.TriggerType)},
	}
	if r.End != nil {
		pairs = append(pairs, pair{"Ended", clock(r.End.StoppedAt.Time) + ", " + string(r.End.FinalStatus)})
	}
	return pairs
}

func busesOf(s health.Snapshot, now time.Time) []row {
	rows := make([]row, 0, len(s.Buses))
	for _, b := range s.Buses {
		state, tone := "works", toneGood
		if !b.Reach.OK {
			state, tone = "away for "+span(now.Sub(b.Reach.Since))+": "+b.Reach.Err, toneBad
		}
		role := "stands by"
		if b.Leading {
			role = "publishes"
		}
		listeners := "keeps events"
		if b.Receivers >= 0 {
			listeners = strconv.FormatInt(b.Receivers, 10)
		}
		rows = append(rows, row{tone, []string{b.Name, state, role, listeners}})
	}
	return rows
}

func componentsOf(s health.Snapshot, now time.Time) []row {
	reports := slices.Clone(s.Facts.Components)
	slices.SortFunc(reports, func(a, b presence.Report) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Instance, b.Instance))
	})
	rows := make([]row, 0, len(reports))
	for _, r := range reports {
		tone := toneGood
		if r.Bridge != nil && !r.Bridge.Subscribed {
			tone = toneWarning
		}
		rows = append(rows, row{tone, []string{
			r.Role, r.Instance, cmp.Or(r.Version, "unknown"), span(now.Sub(r.StartedAt)),
			number(r.Usage.CPUPercent) + " %", number(float64(r.Usage.MemoryBytes)/(1<<20)) + " MiB", detailOf(r),
		}})
	}
	return rows
}

func detailOf(r presence.Report) string {
	switch {
	case r.Bridge != nil && r.Bridge.Subscribed:
		return fmt.Sprintf("subscribed to %s, %d read, %d stored, %d waiting", r.Bridge.Source, r.Bridge.Received, r.Bridge.Stored, r.Bridge.QueuedTicks)
	case r.Bridge != nil && r.Bridge.State == presence.StateStandby:
		return "on standby for " + r.Bridge.Source
	case r.Bridge != nil:
		return "not subscribed to " + r.Bridge.Source
	case r.Pipeline != nil:
		return fmt.Sprintf("%d partitions, %d bars, %d signals", len(r.Pipeline.Partitions), r.Pipeline.Bars, r.Pipeline.Signals)
	}
	return ""
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// span is a duration without its small parts.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
}
