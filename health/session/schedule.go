package session

import (
	"fmt"
	"time"

	"github.com/tickstock/tickstream/health/calendar"
)

const marketZone = "America/New_York"

// Calendar tells the market's days; [calendar.Calendar] does.
type Calendar interface {
	// Day is the New York day that contains t.
	Day(t time.Time) (calendar.Day, error)
	// MarketDate is the date of t in New York, as YYYY-MM-DD.
	MarketDate(t time.Time) string
}

// schedule says when sessions start and end by themselves.
type schedule struct {
	mode Mode
	cal  Calendar
	zone *time.Location
}

func newSchedule(mode Mode, cal Calendar) (schedule, error) {
	zone, err := time.LoadLocation(marketZone)
	if err != nil {
		return schedule{}, fmt.Errorf("load time zone of the market: %w", err)
	}
	return schedule{mode: mode, cal: cal, zone: zone}, nil
}

// open tells whether the mode wants a session at now. An error means that the
// calendar does not know this day.
func (s schedule) open(now time.Time) (bool, error) {
	switch s.mode {
	case ModeAlways:
		return true, nil
	case ModeMarket:
		day, err := s.cal.Day(now)
		if err != nil {
			return false, fmt.Errorf("look up the market day: %w", err)
		}
		return day.Open && !now.Before(day.OpensAt) && now.Before(day.ClosesAt), nil
	}
	return false, nil
}

// end is when a session that started at start ends by itself: at the close of
// its market day if it began before that, else at the New York midnight.
func (s schedule) end(start time.Time) time.Time {
	if s.mode == ModeMarket {
		// Past the calendar's end only midnight is known.
		if day, err := s.cal.Day(start); err == nil && day.Open && start.Before(day.ClosesAt) {
			return day.ClosesAt
		}
	}
	year, month, day := start.In(s.zone).Date()
	return time.Date(year, month, day+1, 0, 0, 0, 0, s.zone).UTC()
}
