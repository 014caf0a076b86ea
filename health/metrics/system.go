package metrics

import (
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
)

// Source is what is told of the system; [health.Monitor] is one.
type Source interface {
	Snapshot() health.Snapshot
}

var (
	healthStatus   = gauge("health_status", "1 for the status that the system has, 0 for the others.", "status")
	healthIssues   = gauge("health_issues", "What is wrong now, by code; README says what to do about each.", "code", "severity")
	healthEventAt  = gauge("health_event_timestamp_seconds", "When the latest health event was made.")
	healthMeasured = gauge("health_measurement_timestamp_seconds", "When the system was last measured.")
	healthSession  = gauge("health_session_active", "Whether a session runs.")

	busUp        = gauge("health_bus_up", "Whether the bus that health is published on answers.", "bus")
	busLeading   = gauge("health_bus_leading", "Whether this process is the one that publishes on the bus.", "bus")
	busReceivers = gauge("health_bus_receivers", "Who received the last health event, where the bus tells.", "bus")

	components  = gauge("components", "Processes that are present, by role.", "role")
	jetStreamUp = gauge("jetstream_up", "Whether JetStream answers.")
	clockOffset = gauge("jetstream_clock_offset_seconds", "How far the NATS server's clock is ahead of this host's; 0 within half a second.")

	tickRate      = gauge("ticks_stored_rate", "Ticks stored in TICKS in a second, over the last seconds.")
	barRate       = gauge("bars_stored_rate", "1-minute bars stored in a second, over a minute.")
	lastTick      = gauge("last_tick_timestamp_seconds", "When the newest tick was stored.")
	ingestLag     = gauge("ingest_lag_seconds", "From event time to storage of the newest ticks, the median over symbols.")
	universeSize  = gauge("universe_symbols", "Symbols that the session covers.")
	activeSymbols = gauge("active_symbols", "Symbols of the universe that have a fresh tick.")
	staleSymbols  = gauge("stale_symbols", "Symbols of the universe that have none.")
	pending       = gauge("consumer_pending_messages", "Messages of TICKS that a partition's consumer has not acknowledged.", "consumer")
	consumerLag   = gauge("consumer_lag_seconds", "Age of the oldest message of TICKS that a partition's consumer has not acknowledged.", "consumer")
	rowsPending   = gauge("database_pending_results", "Results that wait for the database.")
	rowsLag       = gauge("database_lag_seconds", "How long the oldest result waits for the database.")
)

var statuses = []event.Status{event.StatusStarting, event.StatusHealthy, event.StatusDegraded, event.StatusError, event.StatusStopping}

// legacy are the statuses that older words stand for.
var legacy = map[event.Status]event.Status{"warning": event.StatusDegraded, "critical": event.StatusError}

// sendSystem exports a snapshot. What was not measured yet is left out.
func sendSystem(s sink, snapshot health.Snapshot) {
	for _, bus := range snapshot.Buses {
		busUp.send(s, flag(bus.Reach.OK), bus.Name)
		busLeading.send(s, flag(bus.Leading), bus.Name)
		if bus.Receivers >= 0 {
			busReceivers.send(s, float64(bus.Receivers), bus.Name)
		}
	}
	healthSession.send(s, flag(snapshot.Session.Active()))
	if snapshot.Payload == nil {
		return
	}
	status := snapshot.Event.Status
	if modern, ok := legacy[status]; ok {
		status = modern
	}
	for _, one := range statuses {
		healthStatus.send(s, flag(one == status), string(one))
	}
	healthEventAt.send(s, unix(snapshot.Event.Timestamp.Time))
	sendIssues(s, snapshot.Issues)
	sendFacts(s, snapshot.Facts)
}

func sendIssues(s sink, issues []observe.Issue) {
	type label struct{ code, severity string }
	count := map[label]int{}
	for _, issue := range issues {
		count[label{issue.Code, string(issue.Severity)}]++
	}
	for l, n := range count {
		healthIssues.send(s, float64(n), l.code, l.severity)
	}
}

func sendFacts(s sink, f observe.Facts) {
	jetStreamUp.send(s, flag(f.JetStream.OK))
	if f.At.IsZero() {
		return
	}
	healthMeasured.send(s, unix(f.At))
	clockOffset.send(s, f.ClockOffset.Seconds())
	tickRate.send(s, f.TicksPerSecond)
	barRate.send(s, f.BarsPerMinute/time.Minute.Seconds())
	if !f.LastTickAt.IsZero() {
		lastTick.send(s, unix(f.LastTickAt))
	}
	ingestLag.send(s, f.IngestLag.Seconds())
	universeSize.send(s, float64(f.UniverseSize))
	activeSymbols.send(s, float64(f.ActiveSymbols))
	staleSymbols.send(s, float64(len(f.StaleSymbols)))
	for _, c := range f.Consumers {
		pending.send(s, float64(c.Pending), c.Name)
		consumerLag.send(s, c.Lag.Seconds(), c.Name)
	}
	rowsPending.send(s, float64(f.Rows.Pending))
	rowsLag.send(s, f.Rows.Lag.Seconds())
	roles := map[string]int{}
	for _, r := range f.Components {
		roles[r.Role]++
	}
	sendEach(s, components, roles)
}
