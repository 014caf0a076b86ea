// Package calendar tells when the New York Stock Exchange trades: its days,
// hours, holidays and early closes.
//
// Holidays come from a table with a last day (nyse.csv), not from rules: the
// exchange also closes on days that no rule gives. Past that day every answer
// is [ErrPastEnd] until an override file extends the table.
package calendar

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // the zone below must load on machines without tzdata

	"github.com/tickstock/tickstream/pipeline/bounded"
)

const zone = "America/New_York"

// maxFile is the longest override file, in bytes.
const maxFile = 1 << 20

// ErrPastEnd comes from every question about a day that the calendar does not
// cover, be it after its last day or before its first.
var ErrPastEnd = errors.New("the market calendar does not cover this day: " +
	"give a file with that year's closures and a later end as --calendar-file (TICKSTREAM_CALENDAR_FILE)")

// Hours names which part of the trading day counts as open.
type Hours string

const (
	// Regular is 09:30 to 16:00 New York time, to 13:00 on early closes.
	Regular Hours = "regular"
	// Extended adds the early and late sessions: 04:00 to 20:00, to 17:00 on
	// early closes.
	Extended Hours = "extended"
)

// Config of a calendar. The zero value is the built-in NYSE table, regular hours.
type Config struct {
	// Hours that count as open. Defaults to [Regular].
	Hours Hours
	// OverrideFile is a file in the format of nyse.csv whose lines add to the
	// built-in table, replace its days, or widen its span. Defaults to none.
	OverrideFile string
}

// Calendar answers questions about market days. It is immutable and safe for
// concurrent use.
type Calendar struct {
	table *table
	loc   *time.Location
	// Minutes after New York midnight.
	opens, closes, closesEarly int
}

// Day is one day of the New York calendar.
type Day struct {
	// Date is YYYY-MM-DD, in New York.
	Date string
	// Open tells whether the market trades at all on this day.
	Open bool
	// OpensAt and ClosesAt bound the trading hours, in UTC: open at OpensAt,
	// closed at ClosesAt. Both are zero unless Open.
	OpensAt, ClosesAt time.Time
	// EarlyClose is set on a day with shortened hours.
	EarlyClose bool
	// Reason names the holiday, the weekend day, or the occasion of the early
	// close. Empty on an ordinary day, unless an override file's open line
	// gave it a name.
	Reason string
}

// New reads the built-in table and the override file. Its errors are for the
// operator: they name the setting, or the file and the line, and what is wrong.
func New(cfg Config) (*Calendar, error) {
	c := &Calendar{}
	switch cfg.Hours {
	case Regular, "":
		c.opens, c.closes, c.closesEarly = 9*60+30, 16*60, 13*60
	case Extended:
		c.opens, c.closes, c.closesEarly = 4*60, 20*60, 17*60
	default:
		return nil, fmt.Errorf("market hours %q are unknown: use %q or %q", string(cfg.Hours), string(Regular), string(Extended))
	}
	var err error
	if c.loc, err = time.LoadLocation(zone); err != nil {
		return nil, fmt.Errorf("load time zone of the market: %w", err)
	}
	if c.table, err = parseTable(nyseName, nyse); err != nil {
		return nil, err
	}
	if err := c.table.check(); err != nil {
		return nil, err
	}
	if cfg.OverrideFile == "" {
		return c, nil
	}
	data, err := bounded.File(cfg.OverrideFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read --calendar-file (TICKSTREAM_CALENDAR_FILE): %w", err)
	}
	override, err := parseTable(cfg.OverrideFile, data)
	if err != nil {
		return nil, err
	}
	c.table, err = c.table.extend(override)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// MarketDate is the date of t in New York, as YYYY-MM-DD.
func (c *Calendar) MarketDate(t time.Time) string {
	return dateOf(t.In(c.loc)).String()
}

// Span gives the first and the last day that the calendar covers (YYYY-MM-DD),
// so that an operator can be warned before the end.
func (c *Calendar) Span() (first, last string) {
	return c.table.start.String(), c.table.end.String()
}

// Day gives the New York day that contains t, or [ErrPastEnd].
func (c *Calendar) Day(t time.Time) (Day, error) {
	return c.day(dateOf(t.In(c.loc)))
}

// IsOpen tells whether the market trades at t: from the opening on, and no
// more at the close. The error is [ErrPastEnd].
func (c *Calendar) IsOpen(t time.Time) (bool, error) {
	day, err := c.Day(t)
	if err != nil {
		return false, err
	}
	return day.Open && !t.Before(day.OpensAt) && t.Before(day.ClosesAt), nil
}

// NextOpen is the first opening strictly after t, in UTC, or [ErrPastEnd] when
// the calendar ends before it.
func (c *Calendar) NextOpen(t time.Time) (time.Time, error) {
	for d := dateOf(t.In(c.loc)); ; d = d.next() {
		day, err := c.day(d)
		if err != nil {
			return time.Time{}, fmt.Errorf("find the next opening: %w", err)
		}
		if day.Open && day.OpensAt.After(t) {
			return day.OpensAt, nil
		}
	}
}

func (c *Calendar) day(d date) (Day, error) {
	if d.before(c.table.start) || c.table.end.before(d) {
		return Day{}, fmt.Errorf("market day %s is not within %s to %s: %w", d, c.table.start, c.table.end, ErrPastEnd)
	}
	if d.weekend() {
		return Day{Date: d.String(), Reason: d.weekday().String()}, nil
	}
	e := c.table.days[d]
	if e.kind == kindClosed {
		return Day{Date: d.String(), Reason: e.name}, nil
	}
	closes := c.closes
	if e.kind == kindEarly {
		closes = c.closesEarly
	}
	return Day{
		Date:       d.String(),
		Open:       true,
		OpensAt:    d.at(c.opens, c.loc),
		ClosesAt:   d.at(closes, c.loc),
		EarlyClose: e.kind == kindEarly,
		Reason:     e.name,
	}, nil
}
