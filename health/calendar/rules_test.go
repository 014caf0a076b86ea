package calendar_test

import (
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/calendar"
)

// The exchange's rules, computed here without the table, against the table.

// easter is the Sunday given by the anonymous Gregorian algorithm.
func easter(year int) time.Time {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return time.Date(year, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC)
}

// nth is the n-th such weekday of the month.
func nth(n int, weekday time.Weekday, month time.Month, year int) time.Time {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, (int(weekday-first.Weekday())+7)%7+7*(n-1))
}

// observed moves a Saturday to Friday and a Sunday to Monday.
func observed(month time.Month, day, year int) time.Time {
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	switch t.Weekday() {
	case time.Saturday:
		return t.AddDate(0, 0, -1)
	case time.Sunday:
		return t.AddDate(0, 0, 1)
	}
	return t
}

// byRule gives the closed and the early days of a year.
func byRule(year int) (closed, early map[string]bool) {
	thanksgiving := nth(4, time.Thursday, time.November, year)
	lastOfMay := time.Date(year, time.May, 31, 0, 0, 0, 0, time.UTC)
	closures := []time.Time{
		nth(3, time.Monday, time.January, year),
		nth(3, time.Monday, time.February, year),
		easter(year).AddDate(0, 0, -2),
		lastOfMay.AddDate(0, 0, -(int(lastOfMay.Weekday()-time.Monday)+7)%7),
		observed(time.June, 19, year),
		observed(time.July, 4, year),
		nth(1, time.Monday, time.September, year),
		thanksgiving,
		observed(time.December, 25, year),
	}
	// New Year's Day is not moved into the old year.
	if day := observed(time.January, 1, year); day.Year() == year {
		closures = append(closures, day)
	}
	closed, early = map[string]bool{}, map[string]bool{}
	for _, day := range closures {
		closed[day.Format(time.DateOnly)] = true
	}
	for _, day := range []time.Time{
		time.Date(year, time.July, 3, 0, 0, 0, 0, time.UTC),
		thanksgiving.AddDate(0, 0, 1),
		time.Date(year, time.December, 24, 0, 0, 0, 0, time.UTC),
	} {
		weekend := day.Weekday() == time.Saturday || day.Weekday() == time.Sunday
		if !weekend && !closed[day.Format(time.DateOnly)] {
			early[day.Format(time.DateOnly)] = true
		}
	}
	if year == 2025 {
		closed["2025-01-09"] = true // mourning for President Carter: no rule gives it
	}
	return closed, early
}

func TestTableFollowsTheRules(t *testing.T) {
	c, err := calendar.New(calendar.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tradingDays := map[int]int{}
	for year := 2024; year <= 2028; year++ {
		closed, early := byRule(year)
		for noon := time.Date(year, 1, 1, 17, 0, 0, 0, time.UTC); noon.Year() == year; noon = noon.AddDate(0, 0, 1) {
			day, err := c.Day(noon)
			if err != nil {
				t.Fatal(err)
			}
			date := noon.Format(time.DateOnly)
			weekend := noon.Weekday() == time.Saturday || noon.Weekday() == time.Sunday
			if open := !weekend && !closed[date]; day.Date != date || day.Open != open || day.EarlyClose != early[date] {
				t.Errorf("%s: %+v; by the rules open %v, early close %v", date, day, open, early[date])
			}
			if (!day.Open || day.EarlyClose) != (day.Reason != "") {
				t.Errorf("%s: a reason is given on other than ordinary days only, got %+v", date, day)
			}
			if day.Open {
				tradingDays[year]++
			}
		}
	}
	// As the exchange counted them.
	if tradingDays[2024] != 252 || tradingDays[2025] != 250 {
		t.Errorf("trading days: %v, want 252 in 2024 and 250 in 2025", tradingDays)
	}
}
