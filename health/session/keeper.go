// Package session owns the current session: one run of the market day, the
// same for all health processes and on both buses.
//
// A session belongs to one New York date and ends at that day's midnight at
// the latest. It outlives the process: what is stored on either bus is taken
// up again, under the same id, within the same day and for the same universe.
// An operator may start and stop sessions in every mode; one that was stopped
// by hand stays stopped until it is started by hand or the next day comes.
package session

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/tickstock/tickstream/pipeline/event"
)

var (
	// ErrRunning comes from [Keeper.Start] while a session runs.
	ErrRunning = errors.New("a session is running already")
	// ErrNotRunning comes from [Keeper.Stop] while none does.
	ErrNotRunning = errors.New("no session is running")
	// ErrNone is the answer of [Control] before the first session.
	ErrNone = errors.New("there has been no session yet")
)

// Config of a keeper.
type Config struct {
	// Mode says what starts and stops sessions. Defaults to [ModeMarket].
	Mode Mode
	// Universe is the key of the symbols that the session covers. Required.
	Universe string
	// SymbolCount is how many symbols that is.
	SymbolCount int
}

// Totals are what the running session has brought so far.
type Totals struct {
	Patterns   int64
	Indicators int64
}

// Keeper holds the current session and decides on it. It does no IO: whoever
// runs it stores the record, and calls [Keeper.Step] on the one process that
// leads. It is safe for concurrent use.
type Keeper struct {
	cfg      Config
	schedule schedule
	log      *slog.Logger

	mu      sync.Mutex
	current Record
	own     bool   // this process made the current state, or took it up
	unknown string // the market date that the calendar was found not to cover
}

// New makes a keeper without a session. A calendar that does not cover today
// is an error where the mode depends on it.
func New(cfg Config, cal Calendar, now time.Time, log *slog.Logger) (*Keeper, error) {
	if cfg.Mode == "" {
		cfg.Mode = ModeMarket
	}
	if _, err := ParseMode(string(cfg.Mode)); err != nil {
		return nil, err
	}
	if cfg.Universe == "" {
		return nil, errors.New("session: no universe: give the key of the symbols that it covers")
	}
	plan, err := newSchedule(cfg.Mode, cal)
	if err != nil {
		return nil, err
	}
	if _, err := plan.open(now); err != nil {
		return nil, fmt.Errorf("session mode %s: %w", cfg.Mode, err)
	}
	return &Keeper{cfg: cfg, schedule: plan, log: log}, nil
}

// Current is the session that runs, or the last one.
func (k *Keeper) Current() Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// ID is the session that runs; the empty string where none does.
func (k *Keeper) ID() string {
	if current := k.Current(); current.Active() {
		return current.SessionID
	}
	return ""
}

// Pause tells why no session runs at now, a sentence; the empty string while one
// runs, or is just about to.
func (k *Keeper) Pause(now time.Time) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.Active() {
		return ""
	}
	if k.held(now) {
		return "it was stopped by request at " + k.current.End.StoppedAt.UTC().Format("15:04:05 UTC")
	}
	open, err := k.schedule.open(now)
	switch {
	case err != nil || open:
		return "" // the calendar's end is said by itself
	case k.cfg.Mode == ModeManual:
		return "none was started by request"
	}
	return "the market is closed"
}

// Counted is the session that signals are counted for at now: the one that runs
// or, between sessions, the last one of the same market day, so that its numbers
// stay; else the empty string.
func (k *Keeper) Counted(now time.Time) string {
	current := k.Current()
	if current.Active() || current.MarketDate == k.schedule.cal.MarketDate(now) {
		return current.SessionID
	}
	return ""
}

// Adopt takes over a stored record if it is newer than what is held, and
// reports whether it did.
func (k *Keeper) Adopt(stored Record) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !stored.Newer(k.current) {
		return false
	}
	k.current, k.own = stored, false
	return true
}

// Step makes the session what it has to be at now, and reports whether that
// changed anything. Only the process that leads may call it.
func (k *Keeper) Step(now time.Time, totals Totals) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.current
	if k.current.Active() {
		boundary := k.schedule.end(k.current.StartedAt.Time)
		switch {
		case !now.Before(boundary):
			k.end(now, boundary, event.FinalCompleted, totals)
		case k.current.Universe != k.cfg.Universe:
			k.end(now, now, event.FinalStopped, totals)
		case !k.own:
			k.resume(now)
		}
	}
	if !k.current.Active() && !k.held(now) && k.open(now) {
		trigger := event.TriggerScheduled
		if k.cfg.Mode == ModeAlways {
			trigger = event.TriggerAlways
		}
		k.start(now, trigger)
	}
	return !k.current.Same(before)
}

// Start starts a session by hand. While one runs it is [ErrRunning].
func (k *Keeper) Start(now time.Time) (Record, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.Active() {
		return k.current, ErrRunning
	}
	k.start(now, event.TriggerManual)
	return k.current, nil
}

// Stop ends the session by hand. Without one it is [ErrNotRunning].
func (k *Keeper) Stop(now time.Time, totals Totals) (Record, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.current.Active() {
		return k.current, ErrNotRunning
	}
	k.end(now, now, event.FinalStopped, totals)
	return k.current, nil
}

// TicksExpected tells whether silence at now would be a fault, and since when
// it would: while the market is open in [ModeMarket], else while a session
// runs. The error is the calendar's, which then expects nothing.
func (k *Keeper) TicksExpected(now time.Time) (expected bool, since time.Time, err error) {
	if k.cfg.Mode != ModeMarket {
		current := k.Current()
		return current.Active(), current.StartedAt.Time, nil
	}
	day, err := k.schedule.cal.Day(now)
	if err != nil {
		return false, time.Time{}, fmt.Errorf("look up the market day: %w", err)
	}
	open := day.Open && !now.Before(day.OpensAt) && now.Before(day.ClosesAt)
	return open, day.OpensAt, nil
}

// held tells that an operator stopped today's session.
func (k *Keeper) held(now time.Time) bool {
	r := k.current
	return r.End != nil && r.End.FinalStatus == event.FinalStopped && r.Universe == k.cfg.Universe &&
		r.MarketDate == k.schedule.cal.MarketDate(now)
}

func (k *Keeper) open(now time.Time) bool {
	open, err := k.schedule.open(now)
	if err != nil {
		if date := k.schedule.cal.MarketDate(now); date != k.unknown {
			k.unknown = date
			k.log.Error("no session can start today", "date", date, "err", err)
		}
	}
	return open
}

func (k *Keeper) start(now time.Time, trigger event.Trigger) {
	at := event.At(now)
	k.put(now, Record{
		Session: event.Session{
			SessionID: uuid.NewString(), Universe: k.cfg.Universe, SymbolUniverseKey: k.cfg.Universe,
			StartedAt: at, StartTime: at, SymbolCount: k.cfg.SymbolCount, Status: statusActive, TriggerType: trigger,
		},
		MarketDate: k.schedule.cal.MarketDate(now),
		Previous:   k.current.End,
	})
}

func (k *Keeper) resume(now time.Time) {
	r := k.current
	r.TriggerType, r.SymbolCount = event.TriggerResumed, k.cfg.SymbolCount
	k.put(now, r)
}

func (k *Keeper) end(now, at time.Time, status event.FinalStatus, totals Totals) {
	r := k.current
	stopped := event.At(at)
	r.End = &event.SessionEnd{
		SessionID: r.SessionID, StoppedAt: stopped,
		DurationSeconds: int64(max(0, stopped.Sub(r.StartedAt.Time)) / time.Second),
		TotalPatterns:   totals.Patterns, TotalIndicators: totals.Indicators, FinalStatus: status,
	}
	r.Status = string(status)
	k.put(now, r)
}

// put makes r the current state. Its time moves forward even if another host's
// clock, which stamped the state before, is ahead.
func (k *Keeper) put(now time.Time, r Record) {
	r.UpdatedAt = event.At(now)
	if floor := k.current.UpdatedAt.Add(time.Millisecond); r.UpdatedAt.Before(floor) {
		r.UpdatedAt = event.At(floor)
	}
	k.current, k.own = r, true
}
