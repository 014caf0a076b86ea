package dashboard

import (
	"cmp"
	"slices"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// The tones in which things are shown.
const (
	toneGood    = "good"
	toneWarning = "warning"
	toneBad     = "bad"
	toneWaiting = "waiting"
	toneOff     = "off"     // not used here
	toneUnknown = "unknown" // cannot be measured now
)

const (
	statusUnknown = "unknown"
	// lateBy is how late an event may be before the last one says nothing of now,
	// and silentAfter the least age at which it does.
	lateBy      = 3 * time.Second
	silentAfter = 8 * time.Second
)

// state is what the page says of now. Moments are Unix milliseconds, 0 for none.
type state struct {
	Now     int64    `json:"now"`
	EventAt int64    `json:"event_at"`
	Status  string   `json:"status"`
	Tone    string   `json:"tone"`
	Issues  []issue  `json:"issues"`
	Session session  `json:"session"`
	Numbers numbers  `json:"numbers"`
	Stale   []string `json:"stale"`
	Hops    []hop    `json:"hops"`
	Buses   []bus    `json:"buses"`
	Parts   []part   `json:"parts"`
}

type issue struct {
	Code      string `json:"code"`
	Severity  string `json:"severity"`
	Component string `json:"component"`
	Sentence  string `json:"sentence"`
	Mend      string `json:"mend"`
	Hop       string `json:"hop"` // where it is, of the picture
}

type session struct {
	ID        string `json:"id"`
	Universe  string `json:"universe"`
	Symbols   int    `json:"symbols"`
	Day       string `json:"day"`
	Trigger   string `json:"trigger"`
	StartedAt int64  `json:"started_at"`
	EndedAt   int64  `json:"ended_at"`
	Final     string `json:"final"`
}

type numbers struct {
	Ticks      float64 `json:"ticks"` // a second
	Lag        float64 `json:"lag"`   // milliseconds
	Bars       float64 `json:"bars"`  // a minute
	Active     int     `json:"active"`
	Universe   int     `json:"universe"`
	Stale      int     `json:"stale"`
	Patterns   int64   `json:"patterns"`
	Indicators int64   `json:"indicators"`
	Errors     int64   `json:"errors"`
	Uptime     int64   `json:"uptime"` // seconds
	CPU        float64 `json:"cpu"`    // percent of a core
	Memory     float64 `json:"memory"` // MiB
}

type bus struct {
	Name      string `json:"name"`
	Tone      string `json:"tone"`
	Leads     bool   `json:"leads"`
	Receivers int64  `json:"receivers"` // -1 where the bus does not tell
	Error     string `json:"error"`
	Since     int64  `json:"since"`
}

type part struct {
	Role     string  `json:"role"`
	Instance string  `json:"instance"`
	Version  string  `json:"version"`
	Tone     string  `json:"tone"`
	Does     string  `json:"does"`
	Started  int64   `json:"started"`
	CPU      float64 `json:"cpu"`
	Memory   float64 `json:"memory"` // MiB
}

func newState(s health.Snapshot, f *flow, now time.Time) state {
	v := state{
		Now: now.UnixMilli(), EventAt: eventTime(s), Status: string(event.StatusStarting), Tone: toneWaiting,
		Issues: issuesOf(s), Session: sessionOf(s), Buses: busesOf(s), Parts: partsOf(s), Stale: []string{},
	}
	if s.Payload != nil {
		h := s.Event.Health
		v.Status, v.Tone = string(h.Status), toneOf(h.Status)
		v.Stale = h.StaleSymbols.Symbols
		v.Numbers = numbers{
			Ticks: h.TicksPerSecond, Lag: h.DataFlow.ProcessingLagMs, Bars: h.DataFlow.BarsPerMinute,
			Active: h.ActiveSymbols, Universe: max(s.Facts.UniverseSize, h.ActiveSymbols), Stale: h.StaleSymbols.Count,
			Patterns: h.PatternsDetected, Indicators: h.IndicatorsCalculated, Errors: h.ErrorsCount,
			Uptime: h.UptimeSeconds, CPU: h.CPUPercent, Memory: h.MemoryUsageMB,
		}
		if age := now.Sub(h.Timestamp.Time); age > max(silentAfter, s.Interval+lateBy) {
			v.Status, v.Tone = statusUnknown, toneBad
			v.Issues = append([]issue{stuckIssue(age)}, v.Issues...)
		}
	}
	v.Hops = hopsOf(s, f)
	if v.Status == statusUnknown {
		for k := range v.Hops {
			if v.Hops[k].ID == hopHealth {
				v.Hops[k].Tone = toneBad
			}
		}
	}
	return v
}

func toneOf(status event.Status) string {
	switch status {
	case event.StatusHealthy:
		return toneGood
	case event.StatusDegraded, "warning": // of the older generation of words
		return toneWarning
	case event.StatusStarting, event.StatusStopping:
		return toneWaiting
	}
	return toneBad
}

func issuesOf(s health.Snapshot) []issue {
	out := make([]issue, 0, len(s.Issues))
	for _, i := range s.Issues {
		out = append(out, issue{i.Code, string(i.Severity), i.Component, i.Sentence, i.Mend, hopOf(i, s)})
	}
	return out
}

func stuckIssue(age time.Duration) issue {
	return issue{
		Code: cause.HealthDead.Code, Severity: string(observe.SeverityError), Component: presence.RoleHealth,
		Sentence: cause.HealthDead.Sentence("its monitor has made no event for " + age.Round(time.Second).String() + ", and all below is as it was then"),
		Mend:     cause.HealthDead.Mend,
		Hop:      hopHealth,
	}
}

func sessionOf(s health.Snapshot) session {
	r := s.Session
	if r.IsZero() {
		return session{}
	}
	v := session{
		ID: r.SessionID, Universe: r.Universe, Symbols: r.SymbolCount, Day: r.MarketDate,
		Trigger: string(r.TriggerType), StartedAt: r.StartedAt.UnixMilli(),
	}
	if r.End != nil {
		v.EndedAt, v.Final = r.End.StoppedAt.UnixMilli(), string(r.End.FinalStatus)
	}
	return v
}

func busesOf(s health.Snapshot) []bus {
	out := make([]bus, 0, len(s.Buses))
	for _, b := range s.Buses {
		v := bus{Name: b.Name, Tone: toneGood, Leads: b.Leading, Receivers: b.Receivers, Error: b.Reach.Err}
		if !b.Reach.Since.IsZero() {
			v.Since = b.Reach.Since.UnixMilli()
		}
		if !b.Reach.OK {
			v.Tone = toneBad
		}
		out = append(out, v)
	}
	return out
}

func partsOf(s health.Snapshot) []part {
	reports := slices.Clone(s.Facts.Components)
	slices.SortFunc(reports, func(a, b presence.Report) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Instance, b.Instance))
	})
	out := make([]part, 0, len(reports))
	for _, r := range reports {
		v := part{
			Role: r.Role, Instance: r.Instance, Version: r.Version, Tone: toneGood, Started: r.StartedAt.UnixMilli(),
			CPU: r.Usage.CPUPercent, Memory: float64(r.Usage.MemoryBytes) / (1 << 20),
		}
		v.Does, v.Tone = doesOf(r)
		out = append(out, v)
	}
	return out
}
