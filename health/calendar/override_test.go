package calendar_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/health/calendar"
)

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "override.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOverrideFile(t *testing.T) {
	// With what spreadsheets add: a byte order mark, CRLF, quotes, blanks.
	path := writeFile(t, "\ufeff# 2026 and after\r\n date , kind , name\r\n"+
		"2026-10-08,closed,\"Mourning, national\"\r\n"+
		"2026-10-09,early,Storm\r\n"+
		"\r\n"+
		"2026-11-27,open,\r\n"+
		"2029-12-31,end,\r\n"+
		"2029-01-01,closed,New Year's Day\r\n")
	c := newCalendar(t, calendar.Config{OverrideFile: path})
	tests := []struct {
		date        string
		open, early bool
		reason      string
	}{
		{"2026-10-07", true, false, ""},
		{"2026-10-08", false, false, "Mourning, national"},
		{"2026-10-09", true, true, "Storm"},
		{"2026-11-26", false, false, "Thanksgiving Day"},
		{"2026-11-27", true, false, ""},
		{"2029-01-01", false, false, "New Year's Day"},
		{"2029-12-31", true, false, ""},
	}
	for _, tt := range tests {
		day, err := c.Day(at(t, tt.date+"T17:00:00Z"))
		if err != nil || day.Open != tt.open || day.EarlyClose != tt.early || day.Reason != tt.reason {
			t.Errorf("%s: %+v, %v; want open %v, early %v, reason %q", tt.date, day, err, tt.open, tt.early, tt.reason)
		}
	}
	if _, err := c.Day(at(t, "2030-01-01T17:00:00Z")); !errors.Is(err, calendar.ErrPastEnd) {
		t.Errorf("past the new end: %v, want ErrPastEnd", err)
	}
	if first, last := c.Span(); first != "2024-01-01" || last != "2029-12-31" {
		t.Errorf("Span() = %s, %s", first, last)
	}
	if next, err := c.NextOpen(at(t, "2028-12-29T17:00:00-05:00")); err != nil || !next.Equal(at(t, "2029-01-02T09:30:00-05:00")) {
		t.Errorf("NextOpen over the old end = %s, %v", next, err)
	}
}

func TestOverrideNeverNarrowsTheSpan(t *testing.T) {
	path := writeFile(t, "date,kind,name\n2025-01-01,start,\n2025-12-31,end,\n2026-10-08,closed,Storm\n")
	if first, last := newCalendar(t, calendar.Config{OverrideFile: path}).Span(); first != "2024-01-01" || last != "2028-12-31" {
		t.Errorf("Span() = %s, %s; want the built-in span", first, last)
	}
	path = writeFile(t, "date,kind,name\n2023-12-01,start,\n2023-12-25,closed,Christmas Day\n")
	if first, _ := newCalendar(t, calendar.Config{OverrideFile: path}).Span(); first != "2023-12-01" {
		t.Errorf("Span() begins %s, want 2023-12-01", first)
	}
}

// The built-in table is a valid override of itself: a copy of it is what an
// operator begins with.
func TestBuiltInTableAsOverride(t *testing.T) {
	if _, err := calendar.New(calendar.Config{OverrideFile: "nyse.csv"}); err != nil {
		t.Error(err)
	}
}

func TestBadOverrideFile(t *testing.T) {
	const head = "date,kind,name\n"
	tests := []struct {
		name, content string
		line          int // 0: the fault has no line
		want          string
	}{
		{"empty", "", 0, "is empty"},
		{"comments only", "# nothing\n\n", 0, "is empty"},
		{"no header", "# x\n2026-10-08,closed,Storm\n", 2, "date,kind,name"},
		{"not a date", head + "08.10.2026,closed,Storm\n", 2, `"08.10.2026" is not a date`},
		{"no such date", head + "2026-02-29,closed,Storm\n", 2, `"2026-02-29" is not a date`},
		{"unknown kind", head + "# x\n2026-10-08,shut,Storm\n", 3, `"shut" is not a kind`},
		{"too few fields", head + "2026-10-08,closed\n", 2, "2 fields"},
		{"comma in a name", head + "2026-10-08,closed,Mourning, national\n", 2, "4 fields"},
		{"broken quote", head + "2026-10-07,early,ok\n2026-10-08,closed,\"Storm\n", 3, "quote"},
		{"no name", head + "2026-10-08,closed,\n", 2, "has no name"},
		{"unprintable name", head + "2026-10-08,closed,a\x1bb\n", 2, "printable"},
		{"name too long", head + "2026-10-08,closed," + strings.Repeat("x", 129) + "\n", 2, "128 bytes"},
		{"weekend", head + "2026-10-10,closed,Storm\n", 2, "2026-10-10 is a Saturday"},
		{"twice", head + "2026-10-08,closed,Storm\n2026-10-08,early,Storm\n", 3, "already, on line 2"},
		{"two ends", head + "2029-12-31,end,\n2030-12-31,end,\n", 3, "a second end"},
		{"after the end", head + "2029-01-02,closed,Storm\n", 2, "outside the calendar (2024-01-01 to 2028-12-31)"},
		{"before the start", head + "2023-12-25,closed,Christmas Day\n", 2, "outside the calendar"},
		{"end without holidays", head + "2029-12-31,end,\n", 0, "2029 is within the calendar"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, tt.content)
			_, err := calendar.New(calendar.Config{OverrideFile: path})
			if err == nil {
				t.Fatal("New accepted the file")
			}
			where := "calendar file " + path
			if tt.line > 0 {
				where = fmt.Sprintf("calendar file %s, line %d: ", path, tt.line)
			}
			if !strings.HasPrefix(err.Error(), where) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New: %q\nwant it to begin %q and to say %q", err, where, tt.want)
			}
		})
	}
	_, err := calendar.New(calendar.Config{OverrideFile: filepath.Join(t.TempDir(), "missing.csv")})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "--calendar-file") {
		t.Errorf("missing file: %v, want ErrNotExist and the name of the setting", err)
	}
}
