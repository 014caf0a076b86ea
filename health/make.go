package health

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

const (
	// judgePeriod is how often the facts are judged.
	judgePeriod = 250 * time.Millisecond
	eventLoop   = "events"
	// startTogether is how long ticks have to come after NATS did: the bridge
	// then stores what it holds.
	startTogether = 2 * time.Second
)

// makeEvents makes an event each interval, and at once when the status, what
// causes it, or the session changes, when ticks begin to flow, when a component has failed, or
// when a bus has come into our charge. It does no IO.
func (m *Monitor) makeEvents(ctx context.Context) {
	defer m.beats.end(eventLoop)
	check := time.NewTicker(judgePeriod)
	defer check.Stop()
	interval := time.NewTicker(m.cfg.Interval)
	defer interval.Stop()
	first, due := true, false
	for {
		m.beats.beat(eventLoop)
		if made := m.judge(due); made && first {
			first = false
			interval.Reset(m.cfg.Interval)
			m.log.Info(fmt.Sprintf("STREAMING-HEALTH: Health publishing loop started, publishing every %s seconds",
				strconv.FormatFloat(m.cfg.Interval.Seconds(), 'f', -1, 64)))
		}
		due = false
		select {
		case <-ctx.Done():
			return
		case <-check.C:
		case <-m.kick:
		case <-interval.C:
			due = true
		}
	}
}

// judge brings the session, the status and the alerts up to date, and makes an
// event if one is due or something in it changed.
func (m *Monitor) judge(due bool) (made bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	facts := m.deps.Observer.Facts()
	decided := m.leads()
	if decided {
		m.keeper.Step(now, session.Totals{Patterns: facts.PatternsDetected, Indicators: facts.IndicatorsCalculated})
	}
	turned := m.count(now)
	facts = m.deps.Observer.Facts() // of the session that counts now
	verdict := m.verdict(facts, now, false)
	alerts, alertsChanged := m.alerts().next(verdict, now)
	if alertsChanged {
		m.lasting.Store(&alerts)
	}
	if turned || alertsChanged {
		defer m.notifyAll()
	}

	// First of all a process says starting, long enough for both buses to take
	// it; the truth follows at once.
	if m.first.IsZero() || time.Since(m.first) < judgePeriod {
		verdict = starting(verdict)
	}

	id, last := m.keeper.ID(), m.latest.Load()
	switch {
	case last == nil:
		// Whether we decide on the session is known in a moment.
		if !decided && time.Since(m.begun.real) < firstTimeout {
			return false
		}
		m.first = time.Now()
	case due, verdict.Status != m.status.Status, id != last.event.SessionID, m.awaited(verdict.Status):
	case facts.TicksPerSecond > 0 && last.facts.TicksPerSecond == 0:
	case !slices.Equal(causesOf(verdict), causesOf(last.verdict)) && verdict.Status != event.StatusStarting:
	case m.told < len(m.failures) && verdict.Status != event.StatusStarting:
	default:
		m.status = verdict
		return false
	}
	m.put(facts, verdict, id, now)
	m.notifyAll()
	return true
}

// starting is v as the first word of a process.
func starting(v observe.Verdict) observe.Verdict {
	v.Status = event.StatusStarting
	if len(v.Issues) == 0 {
		v.Issues = []observe.Issue{{
			Code: observe.CodeStarting, Severity: observe.SeverityInfo, Component: presence.RoleHealth,
			Sentence: "health has just started",
		}}
	}
	return v
}

// awaited tells that a bus waits for the first event of our own. While the
// system starts, NATS waits for ticks, lest Redis gets the same zeros twice.
func (m *Monitor) awaited(status event.Status) bool {
	for _, p := range m.publishers() {
		if !p.leading.Load() || p.floor.Load() < m.seq {
			continue
		}
		if p == m.nats && status == event.StatusStarting && p.ledFor() < startTogether {
			continue
		}
		return true
	}
	return false
}

func (m *Monitor) notifyAll() {
	for _, p := range m.publishers() {
		p.notify()
	}
}

// count lets the observer count for the session of now, and reports whether
// anything about the session changed.
func (m *Monitor) count(now time.Time) (changed bool) {
	current, id := m.keeper.Current(), m.keeper.Counted(now)
	if id != m.counted || !m.counting {
		var startedAt time.Time // between two market days no session counts
		if id != "" {
			startedAt = current.StartedAt.Time
			// Operators search their logs for this very sentence: no attributes.
			m.log.Info("StreamingHealthMonitor initialized for session " + id[:8])
		}
		m.deps.Observer.SetSession(m.deps.Universe.Symbols, startedAt)
		m.counted, m.counting = id, true
	}
	changed = !current.Same(m.seen)
	m.seen = current
	return changed
}

// verdict judges facts, and adds what only the monitor knows.
func (m *Monitor) verdict(facts observe.Facts, now time.Time, stopping bool) observe.Verdict {
	expected, since, calendarErr := m.keeper.TicksExpected(now)
	around := observe.Surroundings{
		Now: now, StartedAt: m.begun.told, MarketOpen: expected, MarketOpenedAt: since,
		NATS: m.nats.reach.get(), Redis: m.redis.reach.get(), Audience: m.audience(), Stopping: stopping,
	}
	if m.deps.Database != nil {
		reach := m.deps.Database()
		around.Database = &reach
	}
	if m.deps.Streams != nil {
		around.Streams = m.deps.Streams()
	}
	verdict := m.deps.Judge.Verdict(facts, around)
	if len(m.failures) > 0 {
		verdict.Issues = append(slices.Clone(m.failures), verdict.Issues...)
		if !stopping {
			verdict.Status = event.StatusError
		}
	}
	if why := m.keeper.Pause(now); why != "" {
		verdict.Issues = append(verdict.Issues, pauseIssue(why))
	}
	if calendarErr != nil {
		verdict.Issues = append(verdict.Issues, calendarIssue(calendarErr))
		if verdict.Status == event.StatusHealthy {
			verdict.Status = event.StatusDegraded
		}
	}
	return verdict
}

// put makes the event of now the latest one.
func (m *Monitor) put(facts observe.Facts, verdict observe.Verdict, id string, now time.Time) *update {
	e := compose(moment{
		now: now, uptime: now.Sub(m.begun.told), sessionID: id, facts: facts, verdict: verdict,
		usage: together(facts.Components, m.self, *m.own.Load()), legacy: m.cfg.LegacyStatusWords,
	})
	payload, err := json.Marshal(e)
	if err != nil {
		// compose leaves nothing that JSON cannot hold.
		m.log.Error("health event cannot be encoded", "err", err)
		return m.latest.Load()
	}
	m.seq++
	u := &update{
		seq: m.seq, made: time.Now(), event: e, payload: payload, alerts: m.alerts(), facts: facts, verdict: verdict,
		delivery: newDelivery(e, m.publishers(), m.log),
	}
	m.status = verdict
	if verdict.Status != event.StatusStarting {
		m.told = len(m.failures)
	}
	if before := m.latest.Swap(u); before != nil {
		before.delivery.close()
	}
	return u
}

// farewell is the last event of this process, made when it is first asked for;
// nil if there was none before.
func (m *Monitor) farewell() *update {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.final == nil && m.latest.Load() != nil {
		now, facts := m.cfg.Now(), m.deps.Observer.Facts()
		verdict := m.verdict(facts, now, true)
		verdict.Status = event.StatusStopping
		m.final = m.put(facts, verdict, m.keeper.ID(), now)
	}
	return m.final
}
