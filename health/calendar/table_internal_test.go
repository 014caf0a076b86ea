package calendar

import (
	"bytes"
	"encoding/csv"
	"maps"
	"strings"
	"testing"
)

// format writes a table as a file.
func format(t *testing.T, tb *table) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	rows := [][]string{{"date", "kind", "name"}}
	if tb.start != (date{}) {
		rows = append(rows, []string{tb.start.String(), string(kindStart), ""})
	}
	if tb.end != (date{}) {
		rows = append(rows, []string{tb.end.String(), string(kindEnd), ""})
	}
	for day, e := range tb.days {
		rows = append(rows, []string{day.String(), string(e.kind), e.name})
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// No input panics; a refusal names the file; what is accepted survives writing
// and reading again, and lists weekdays with printable names only.
func FuzzParseTable(f *testing.F) {
	f.Add(nyse)
	f.Add([]byte("\ufeffdate,kind,name\r\n2026-10-08,closed,\"Mourning, national\"\r\n2029-12-31,end,\r\n"))
	f.Add([]byte("date,kind,name\n2026-10-08,open,\n2023-01-01,start,\n"))
	f.Add([]byte("date,kind,name\n2026-10-08,closed,\"a\nb\"\n"))
	f.Add([]byte("date,kind,name\n0001-01-01,start,\n0001-01-02,early,#\n"))
	f.Add([]byte("date,kind\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := parseTable("some.csv", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "calendar file some.csv") {
				t.Errorf("error does not name the file: %v", err)
			}
			return
		}
		again, err := parseTable("some.csv", format(t, first))
		if err != nil {
			t.Fatalf("written and read again: %v", err)
		}
		sameDay := func(a, b entry) bool { return a.kind == b.kind && a.name == b.name }
		if first.start != again.start || first.end != again.end || !maps.EqualFunc(first.days, again.days, sameDay) {
			t.Errorf("read %+v\nthen %+v", first, again)
		}
		for day, e := range first.days {
			if day.weekend() || !printable(e.name) || e.line < 2 {
				t.Errorf("accepted %s %+v", day, e)
			}
		}
		built, err := parseTable(nyseName, nyse)
		if err != nil {
			t.Fatal(err)
		}
		if merged, err := built.extend(first); err == nil && (built.start.before(merged.start) || merged.end.before(built.end)) {
			t.Errorf("the span was narrowed to %s, %s", merged.start, merged.end)
		}
	})
}
