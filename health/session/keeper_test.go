package session_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/calendar"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
)

const universe = "market_leaders:top_500"

var quiet = slog.New(slog.DiscardHandler)

// ny is a moment on New York's wall clock.
func ny(t *testing.T, wall string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", wall, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func keeper(t *testing.T, mode session.Mode, now time.Time) *session.Keeper {
	t.Helper()
	return keeperOf(t, session.Config{Mode: mode, Universe: universe, SymbolCount: 60}, now)
}

func keeperOf(t *testing.T, cfg session.Config, now time.Time) *session.Keeper {
	t.Helper()
	cal, err := calendar.New(calendar.Config{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := session.New(cfg, cal, now, quiet)
	if err != nil {
		t.Fatalf("make keeper: %v", err)
	}
	return k
}

// A keeper is stepped through a day; each line is a moment and what it wants.
func TestSessionFollowsItsMode(t *testing.T) {
	type step struct {
		at     string // New York
		do     string // "", "start" or "stop"
		active bool
		fresh  bool // another session than at the step before
		final  event.FinalStatus
	}
	for name, c := range map[string]struct {
		mode  session.Mode
		steps []step
	}{
		"market day": {session.ModeMarket, []step{
			{at: "2025-10-07 09:29:59"},
			{at: "2025-10-07 09:30:00", active: true, fresh: true},
			{at: "2025-10-07 15:59:59", active: true},
			{at: "2025-10-07 16:00:00", final: event.FinalCompleted},
			{at: "2025-10-08 00:00:00", final: event.FinalCompleted},
			{at: "2025-10-08 09:30:00", active: true, fresh: true},
		}},
		"early close":      {session.ModeMarket, []step{{at: "2025-11-28 12:59:59", active: true, fresh: true}, {at: "2025-11-28 13:00:00", final: event.FinalCompleted}}},
		"weekend":          {session.ModeMarket, []step{{at: "2025-10-11 11:00:00"}}},
		"holiday":          {session.ModeMarket, []step{{at: "2025-12-25 11:00:00"}}},
		"started mid-day":  {session.ModeMarket, []step{{at: "2025-10-07 13:00:00", active: true, fresh: true}}},
		"after an outage":  {session.ModeMarket, []step{{at: "2025-10-07 15:00:00", active: true, fresh: true}, {at: "2025-10-08 11:00:00", active: true, fresh: true}}},
		"stopped by hand":  {session.ModeMarket, []step{{at: "2025-10-07 10:00:00", active: true, fresh: true}, {at: "2025-10-07 11:00:00", do: "stop", final: event.FinalStopped}, {at: "2025-10-07 12:00:00", final: event.FinalStopped}, {at: "2025-10-07 12:30:00", do: "start", active: true, fresh: true}, {at: "2025-10-07 16:00:00", final: event.FinalCompleted}}},
		"held for the day": {session.ModeMarket, []step{{at: "2025-10-07 10:00:00", active: true, fresh: true}, {at: "2025-10-07 11:00:00", do: "stop", final: event.FinalStopped}, {at: "2025-10-08 09:30:00", active: true, fresh: true}}},
		"early by hand":    {session.ModeMarket, []step{{at: "2025-10-07 08:00:00", do: "start", active: true, fresh: true}, {at: "2025-10-07 09:30:00", active: true}, {at: "2025-10-07 16:00:00", final: event.FinalCompleted}}},
		"late by hand":     {session.ModeMarket, []step{{at: "2025-10-07 18:00:00", do: "start", active: true, fresh: true}, {at: "2025-10-07 23:59:59", active: true}, {at: "2025-10-08 00:00:00", final: event.FinalCompleted}}},
		"always": {session.ModeAlways, []step{
			{at: "2025-10-11 12:00:00", active: true, fresh: true},
			{at: "2025-10-11 23:59:59", active: true},
			{at: "2025-10-12 00:00:00", active: true, fresh: true},
			{at: "2025-10-12 12:00:00", do: "stop", final: event.FinalStopped},
			{at: "2025-10-12 23:59:59", final: event.FinalStopped},
			{at: "2025-10-13 00:00:00", active: true, fresh: true},
		}},
		"always over the change of the clocks": {session.ModeAlways, []step{
			{at: "2025-11-02 00:00:00", active: true, fresh: true},
			{at: "2025-11-02 23:59:59", active: true},
			{at: "2025-11-03 00:00:00", active: true, fresh: true},
		}},
		"manual": {session.ModeManual, []step{
			{at: "2025-10-07 10:00:00"},
			{at: "2025-10-07 10:00:01", do: "start", active: true, fresh: true},
			{at: "2025-10-07 17:00:00", do: "stop", final: event.FinalStopped},
			{at: "2025-10-07 18:00:00", do: "start", active: true, fresh: true},
			{at: "2025-10-08 00:00:00", final: event.FinalCompleted},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			k := keeper(t, c.mode, ny(t, c.steps[0].at))
			for _, s := range c.steps {
				before := k.Current()
				now := ny(t, s.at)
				var err error
				switch s.do {
				case "start":
					_, err = k.Start(now)
				case "stop":
					_, err = k.Stop(now, session.Totals{})
				}
				if err != nil {
					t.Fatalf("%s: %s: %v", s.at, s.do, err)
				}
				k.Step(now, session.Totals{Patterns: 5, Indicators: 7})
				got := k.Current()
				if got.Active() != s.active || (got.SessionID != before.SessionID) != s.fresh {
					t.Errorf("%s: active %v, fresh %v; want %v, %v", s.at, got.Active(), got.SessionID != before.SessionID, s.active, s.fresh)
				}
				if s.final != "" && (got.End == nil || got.End.FinalStatus != s.final) {
					t.Errorf("%s: end is %+v, want %s", s.at, got.End, s.final)
				}
				if k.Step(now, session.Totals{}) {
					t.Errorf("%s: a second step changed something", s.at)
				}
			}
		})
	}
}

func TestSessionEndsAtItsBoundary(t *testing.T) {
	start := ny(t, "2025-10-07 15:00:00")
	k := keeper(t, session.ModeMarket, start)
	k.Step(start, session.Totals{})
	first := k.Current()
	k.Step(ny(t, "2025-10-08 10:00:00"), session.Totals{Patterns: 5, Indicators: 7})
	end := k.Current().Previous
	want := event.SessionEnd{
		SessionID: first.SessionID, StoppedAt: event.At(ny(t, "2025-10-07 16:00:00")), DurationSeconds: 3600,
		TotalPatterns: 5, TotalIndicators: 7, FinalStatus: event.FinalCompleted,
	}
	if end == nil || *end != want {
		t.Errorf("end = %+v, want %+v", end, want)
	}
}

func TestSessionSurvivesItsProcess(t *testing.T) {
	for name, c := range map[string]struct {
		at       string
		universe string
		resumed  bool
	}{
		"same day":         {"2025-10-07 12:00:00", universe, true},
		"next day":         {"2025-10-08 12:00:00", universe, false},
		"another universe": {"2025-10-07 12:00:00", "etf:all", false},
	} {
		t.Run(name, func(t *testing.T) {
			start, now := ny(t, "2025-10-07 10:00:00"), ny(t, c.at)
			first := keeper(t, session.ModeMarket, start)
			first.Step(start, session.Totals{})
			stored := first.Current()
			second := keeperOf(t, session.Config{Universe: c.universe, SymbolCount: 61}, now)
			if !second.Adopt(stored) {
				t.Fatal("the stored session was not adopted")
			}
			if !second.Step(now, session.Totals{}) {
				t.Error("taking a session up changes nothing: it would not be announced")
			}
			got := second.Current()
			if (got.SessionID == stored.SessionID) != c.resumed || (got.TriggerType == event.TriggerResumed) != c.resumed || !got.Active() {
				t.Errorf("session %+v after %+v", got, stored)
			}
			if c.resumed && (got.StartedAt != stored.StartedAt || got.SymbolCount != 61) {
				t.Errorf("resumed as %+v", got)
			}
			if !first.Adopt(got) || !first.Current().Same(got) {
				t.Error("the first process does not follow")
			}
		})
	}
}

func TestNewestRecordHolds(t *testing.T) {
	now := ny(t, "2025-10-07 10:00:00")
	a, b := keeper(t, session.ModeAlways, now), keeper(t, session.ModeAlways, now)
	a.Step(now, session.Totals{})
	b.Step(now, session.Totals{}) // at the same millisecond, apart from one another
	x, y := a.Current(), b.Current()
	a.Adopt(y)
	b.Adopt(x)
	if a.Current().SessionID != b.Current().SessionID {
		t.Error("two processes that hear of one another hold different sessions")
	}
	// A leader whose clock is behind must still get its way.
	late := keeper(t, session.ModeAlways, now)
	late.Adopt(x)
	late.Step(now.Add(-time.Minute), session.Totals{})
	if !late.Current().Newer(x) || x.Newer(late.Current()) {
		t.Errorf("%v is not newer than %v", late.Current().UpdatedAt, x.UpdatedAt)
	}
	if a.Adopt(session.Record{}) {
		t.Error("adopted nothing")
	}
}

func TestHandsHaveLimits(t *testing.T) {
	now := ny(t, "2025-10-07 10:00:00")
	k := keeper(t, session.ModeManual, now)
	if _, err := k.Stop(now, session.Totals{}); !errors.Is(err, session.ErrNotRunning) {
		t.Errorf("Stop = %v", err)
	}
	first, err := k.Start(now)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.Start(now); !errors.Is(err, session.ErrRunning) || again.SessionID != first.SessionID {
		t.Errorf("second Start = %v, %v", again.SessionID, err)
	}
}

func TestIDBetweenSessions(t *testing.T) {
	k := keeper(t, session.ModeMarket, ny(t, "2025-10-07 15:00:00"))
	if id := k.Counted(ny(t, "2025-10-07 09:00:00")); id != "" {
		t.Errorf("before the first session: %q", id)
	}
	k.Step(ny(t, "2025-10-07 15:00:00"), session.Totals{})
	id := k.Current().SessionID
	k.Step(ny(t, "2025-10-07 16:30:00"), session.Totals{})
	if got := k.Counted(ny(t, "2025-10-07 16:30:00")); got != id {
		t.Errorf("after the close: %q, want the day's %q", got, id)
	}
	if got := k.Counted(ny(t, "2025-10-08 00:00:00")); got != "" {
		t.Errorf("on the next day: %q", got)
	}
}

func TestTicksExpected(t *testing.T) {
	open := ny(t, "2025-10-07 09:30:00")
	market := keeper(t, session.ModeMarket, open)
	if expected, since, err := market.TicksExpected(open.Add(time.Hour)); !expected || !since.Equal(open) || err != nil {
		t.Errorf("in market hours: %v since %v, %v", expected, since, err)
	}
	if expected, _, err := market.TicksExpected(open.Add(-time.Second)); expected || err != nil {
		t.Errorf("before the open: %v, %v", expected, err)
	}
	if _, _, err := market.TicksExpected(open.AddDate(50, 0, 0)); !errors.Is(err, calendar.ErrPastEnd) {
		t.Errorf("past the calendar: %v", err)
	}
	always := keeper(t, session.ModeAlways, open)
	always.Step(open, session.Totals{})
	if expected, since, err := always.TicksExpected(open.Add(20 * time.Hour)); !expected || !since.Equal(open) || err != nil {
		t.Errorf("always: %v since %v, %v", expected, since, err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	cal, err := calendar.New(calendar.Config{})
	if err != nil {
		t.Fatal(err)
	}
	now := ny(t, "2025-10-07 10:00:00")
	for says, c := range map[string]struct {
		cfg session.Config
		now time.Time
	}{
		"unknown":   {session.Config{Mode: "sometimes", Universe: universe}, now},
		"universe":  {session.Config{Mode: session.ModeAlways}, now},
		"calendar":  {session.Config{Universe: universe}, now.AddDate(50, 0, 0)},
		"is unknow": {session.Config{Mode: "Market", Universe: universe}, now},
	} {
		if _, err := session.New(c.cfg, cal, c.now, quiet); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New(%+v) = %v, want it to say %s", c.cfg, err, says)
		}
	}
}

const testTimeout = 5 * time.Second

func stopClock(at time.Time) func() time.Time { return func() time.Time { return at } }
