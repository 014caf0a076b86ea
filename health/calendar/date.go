package calendar

import (
	"cmp"
	"fmt"
	"time"
)

// date is a day of the New York calendar without a time of day. Its zero value
// is no day.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date{year, month, day}
}

// parseDate reads YYYY-MM-DD.
func parseDate(s string) (date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return date{}, fmt.Errorf("%q is not a date of the form YYYY-MM-DD", s)
	}
	return dateOf(t), nil
}

// String gives YYYY-MM-DD.
func (d date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.year, int(d.month), d.day)
}

// at is the instant of d at so many minutes after midnight on the wall clock
// of loc, in UTC. Trading hours never meet the change of the clocks (02:00).
func (d date) at(minutes int, loc *time.Location) time.Time {
	return time.Date(d.year, d.month, d.day, 0, minutes, 0, 0, loc).UTC()
}

func (d date) next() date {
	return dateOf(time.Date(d.year, d.month, d.day+1, 0, 0, 0, 0, time.UTC))
}

func (d date) weekday() time.Weekday {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Weekday()
}

func (d date) weekend() bool {
	w := d.weekday()
	return w == time.Saturday || w == time.Sunday
}

func (d date) before(o date) bool { return d.compare(o) < 0 }

// compare orders dates, as slices.SortedFunc wants it.
func (d date) compare(o date) int {
	return cmp.Or(cmp.Compare(d.year, o.year), cmp.Compare(d.month, o.month), cmp.Compare(d.day, o.day))
}
