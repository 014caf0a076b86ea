package calendar_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/calendar"
)

func newCalendar(t *testing.T, cfg calendar.Config) *calendar.Calendar {
	t.Helper()
	c, err := calendar.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// at reads an RFC 3339 time.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDay(t *testing.T) {
	tests := []struct {
		name, at      string
		hours         calendar.Hours
		date          string
		opens, closes string // UTC; empty when closed
		early         bool
		reason        string
	}{
		{"winter", "2026-01-05T15:00:00Z", "", "2026-01-05", "2026-01-05T14:30:00Z", "2026-01-05T21:00:00Z", false, ""},
		{"summer", "2026-07-06T15:00:00Z", calendar.Regular, "2026-07-06", "2026-07-06T13:30:00Z", "2026-07-06T20:00:00Z", false, ""},
		{"Friday before the clocks go forward", "2026-03-06T15:00:00Z", "", "2026-03-06", "2026-03-06T14:30:00Z", "2026-03-06T21:00:00Z", false, ""},
		{"the Sunday of 23 hours", "2026-03-08T15:00:00Z", "", "2026-03-08", "", "", false, "Sunday"},
		{"Monday after the clocks go forward", "2026-03-09T15:00:00Z", "", "2026-03-09", "2026-03-09T13:30:00Z", "2026-03-09T20:00:00Z", false, ""},
		{"Monday after the clocks go back", "2026-11-02T15:00:00Z", calendar.Extended, "2026-11-02", "2026-11-02T09:00:00Z", "2026-11-03T01:00:00Z", false, ""},
		{"last second of a New York day in summer", "2026-07-07T03:59:59Z", "", "2026-07-06", "2026-07-06T13:30:00Z", "2026-07-06T20:00:00Z", false, ""},
		{"first second of the next", "2026-07-07T04:00:00Z", "", "2026-07-07", "2026-07-07T13:30:00Z", "2026-07-07T20:00:00Z", false, ""},
		{"last second of a New York day in winter", "2026-01-06T04:59:59Z", "", "2026-01-05", "2026-01-05T14:30:00Z", "2026-01-05T21:00:00Z", false, ""},
		{"early close", "2026-11-27T15:00:00Z", "", "2026-11-27", "2026-11-27T14:30:00Z", "2026-11-27T18:00:00Z", true, "Day after Thanksgiving"},
		{"early close, extended", "2028-07-03T15:00:00Z", calendar.Extended, "2028-07-03", "2028-07-03T08:00:00Z", "2028-07-03T21:00:00Z", true, "Day before Independence Day"},
		{"holiday", "2026-07-03T15:00:00Z", "", "2026-07-03", "", "", false, "Independence Day (observed)"},
		{"unscheduled closure", "2025-01-09T15:00:00Z", "", "2025-01-09", "", "", false, "National Day of Mourning for President Carter"},
		{"Saturday", "2026-10-10T15:00:00Z", "", "2026-10-10", "", "", false, "Saturday"},
		{"first day of the table", "2024-01-01T05:00:00Z", "", "2024-01-01", "", "", false, "New Year's Day"},
		{"last instant of the table", "2029-01-01T04:59:59Z", "", "2028-12-31", "", "", false, "Sunday"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := calendar.Day{Date: tt.date, Open: tt.opens != "", EarlyClose: tt.early, Reason: tt.reason}
			if want.Open {
				want.OpensAt, want.ClosesAt = at(t, tt.opens), at(t, tt.closes)
			}
			c := newCalendar(t, calendar.Config{Hours: tt.hours})
			got, err := c.Day(at(t, tt.at))
			if err != nil || got != want {
				t.Errorf("Day(%s) = %+v, %v\nwant %+v", tt.at, got, err, want)
			}
			if date := c.MarketDate(at(t, tt.at)); date != tt.date {
				t.Errorf("MarketDate(%s) = %s, want %s", tt.at, date, tt.date)
			}
		})
	}
}

func TestIsOpen(t *testing.T) {
	tests := []struct {
		at    string
		hours calendar.Hours
		want  bool
	}{
		{"2026-10-07T09:29:59.999999999-04:00", calendar.Regular, false},
		{"2026-10-07T09:30:00-04:00", calendar.Regular, true},
		{"2026-10-07T15:59:59.999999999-04:00", calendar.Regular, true},
		{"2026-10-07T16:00:00-04:00", calendar.Regular, false},
		{"2026-10-07T03:59:59-04:00", calendar.Extended, false},
		{"2026-10-07T04:00:00-04:00", calendar.Extended, true},
		{"2026-10-07T19:59:59-04:00", calendar.Extended, true},
		{"2026-10-07T20:00:00-04:00", calendar.Extended, false},
		{"2026-12-24T12:59:59-05:00", calendar.Regular, true},
		{"2026-12-24T13:00:00-05:00", calendar.Regular, false},
		{"2026-12-24T16:59:59-05:00", calendar.Extended, true},
		{"2026-12-24T17:00:00-05:00", calendar.Extended, false},
		{"2026-12-25T12:00:00-05:00", calendar.Extended, false},
		{"2026-10-11T12:00:00-04:00", calendar.Extended, false},
	}
	for _, tt := range tests {
		got, err := newCalendar(t, calendar.Config{Hours: tt.hours}).IsOpen(at(t, tt.at))
		if err != nil || got != tt.want {
			t.Errorf("IsOpen(%s, %s) = %v, %v; want %v", tt.at, tt.hours, got, err, tt.want)
		}
	}
}

func TestNextOpen(t *testing.T) {
	tests := []struct{ name, at, want string }{
		{"before the bell", "2026-10-07T09:29:59-04:00", "2026-10-07T09:30:00-04:00"},
		{"at the bell it is the next day's", "2026-10-07T09:30:00-04:00", "2026-10-08T09:30:00-04:00"},
		{"over a weekend", "2026-10-09T16:00:00-04:00", "2026-10-12T09:30:00-04:00"},
		{"over a weekend in which the clocks change", "2026-10-30T16:00:00-04:00", "2026-11-02T09:30:00-05:00"},
		{"over a holiday weekend and New York's midnight", "2026-07-03T03:59:59Z", "2026-07-06T09:30:00-04:00"},
		{"over the turn of a year", "2027-12-31T16:00:00-05:00", "2028-01-03T09:30:00-05:00"},
	}
	c := newCalendar(t, calendar.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.NextOpen(at(t, tt.at))
			if err != nil || !got.Equal(at(t, tt.want)) {
				t.Errorf("NextOpen(%s) = %s, %v; want %s", tt.at, got, err, tt.want)
			}
			if got.Location() != time.UTC {
				t.Errorf("NextOpen(%s) is in %s, want UTC", tt.at, got.Location())
			}
		})
	}
}

func TestOutsideTheTable(t *testing.T) {
	c := newCalendar(t, calendar.Config{})
	for _, when := range []string{"2029-01-01T05:00:00Z", "2031-06-02T15:00:00Z", "2024-01-01T04:59:59Z", "1969-12-31T23:00:00Z"} {
		_, dayErr := c.Day(at(t, when))
		_, openErr := c.IsOpen(at(t, when))
		_, nextErr := c.NextOpen(at(t, when))
		for question, err := range map[string]error{"Day": dayErr, "IsOpen": openErr, "NextOpen": nextErr} {
			if !errors.Is(err, calendar.ErrPastEnd) {
				t.Errorf("%s(%s): %v, want ErrPastEnd", question, when, err)
				continue
			}
			for _, part := range []string{"--calendar-file", "TICKSTREAM_CALENDAR_FILE", "2024-01-01 to 2028-12-31"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s(%s): %q does not name %s", question, when, err, part)
				}
			}
		}
	}
	// The last opening has passed, though its day is covered.
	if _, err := c.NextOpen(at(t, "2028-12-29T16:00:00-05:00")); !errors.Is(err, calendar.ErrPastEnd) {
		t.Errorf("NextOpen after the last opening: %v, want ErrPastEnd", err)
	}
	if first, last := c.Span(); first != "2024-01-01" || last != "2028-12-31" {
		t.Errorf("Span() = %s, %s", first, last)
	}
}

func TestNewRefusesUnknownHours(t *testing.T) {
	_, err := calendar.New(calendar.Config{Hours: "always"})
	if err == nil || !strings.Contains(err.Error(), `"always"`) || !strings.Contains(err.Error(), `"extended"`) {
		t.Errorf("New: %v, want an error that names the value and the choices", err)
	}
}
