package calendar

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed nyse.csv
var nyse []byte

// nyseName stands for the built-in table in errors.
const nyseName = "built-in nyse.csv"

// maxName bounds the name of a day, in bytes: it goes into logs and events.
const maxName = 128

// kind says what an entry makes of its day.
type kind string

const (
	kindStart  kind = "start"
	kindEnd    kind = "end"
	kindClosed kind = "closed"
	kindEarly  kind = "early"
	kindOpen   kind = "open"
)

// entry is one listed day. line is where it stands in its file.
type entry struct {
	kind kind
	name string
	line int
}

// table is a calendar file as read: the span it speaks for (a zero date where
// the file names none) and the days it lists.
type table struct {
	name       string
	start, end date
	days       map[date]entry
}

// fail makes the one form of this package's file errors: file, line, what.
func (t *table) fail(line int, format string, args ...any) error {
	return fmt.Errorf("calendar file %s, line %d: %s", t.name, line, fmt.Sprintf(format, args...))
}

// parseTable reads a calendar file (the format of nyse.csv); name stands for
// it in errors.
func parseTable(name string, data []byte) (*table, error) {
	t := &table{name: name, days: map[date]entry{}}
	// Spreadsheets write a byte order mark.
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.Comment = '#'
	r.FieldsPerRecord = -1
	header := false
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var bad *csv.ParseError
			if errors.As(err, &bad) {
				return nil, t.fail(bad.Line, "%v", bad.Err)
			}
			return nil, fmt.Errorf("calendar file %s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if !header {
			if !slices.Equal(fields, []string{"date", "kind", "name"}) {
				return nil, t.fail(line, "the first line that is not a comment must be date,kind,name")
			}
			header = true
			continue
		}
		if err := t.add(fields, line); err != nil {
			return nil, err
		}
	}
	if !header {
		return nil, fmt.Errorf("calendar file %s is empty: it must begin with the line date,kind,name", name)
	}
	return t, nil
}

// add takes one record.
func (t *table) add(fields []string, line int) error {
	if len(fields) != 3 {
		return t.fail(line, "%d fields where date,kind,name are needed", len(fields))
	}
	day, err := parseDate(fields[0])
	if err != nil {
		return t.fail(line, "%v", err)
	}
	e := entry{kind: kind(fields[1]), name: fields[2], line: line}
	switch e.kind {
	case kindStart:
		return t.bound(&t.start, day, e)
	case kindEnd:
		return t.bound(&t.end, day, e)
	case kindClosed, kindEarly:
		if e.name == "" {
			return t.fail(line, "%s has no name: say why the market is closed or closes early", day)
		}
	case kindOpen:
	default:
		return t.fail(line, "%q is not a kind: use closed, early, open, start or end", fields[1])
	}
	if !printable(e.name) {
		return t.fail(line, "the name of %s is not at most %d bytes of printable text", day, maxName)
	}
	if day.weekend() {
		return t.fail(line, "%s is a %s: the market is closed on weekends, list weekdays only", day, day.weekday())
	}
	if twin, ok := t.days[day]; ok {
		return t.fail(line, "%s is listed already, on line %d", day, twin.line)
	}
	t.days[day] = e
	return nil
}

// bound sets the start or the end, once.
func (t *table) bound(dst *date, day date, e entry) error {
	if *dst != (date{}) {
		return t.fail(e.line, "a second %s (the first is %s)", e.kind, *dst)
	}
	*dst = day
	return nil
}

// extend is t with the lines of o over it: o's days replace t's of the same
// date, and o's span may widen t's, never narrow it, so that a file written
// for an older release goes on working with a newer one.
func (t *table) extend(o *table) (*table, error) {
	merged := &table{name: o.name, start: t.start, end: t.end, days: maps.Clone(t.days)}
	if o.start != (date{}) && o.start.before(t.start) {
		merged.start = o.start
	}
	if t.end.before(o.end) {
		merged.end = o.end
	}
	maps.Copy(merged.days, o.days)
	for _, day := range slices.SortedFunc(maps.Keys(o.days), date.compare) {
		if day.before(merged.start) || merged.end.before(day) {
			return nil, o.fail(o.days[day].line, "%s is outside the calendar (%s to %s): widen it with a start or an end line",
				day, merged.start, merged.end)
		}
	}
	return merged, merged.check()
}

// check tells whether t can be a calendar of its own. A year without a single
// closure is a span that was widened without its holidays.
func (t *table) check() error {
	if t.start == (date{}) || t.end == (date{}) || t.end.before(t.start) {
		return fmt.Errorf("calendar file %s: needs a start and an end line, in this order", t.name)
	}
	closures := map[int]bool{}
	for day, e := range t.days {
		closures[day.year] = closures[day.year] || e.kind == kindClosed
	}
	for year := t.start.year; year <= t.end.year; year++ {
		if !closures[year] {
			return fmt.Errorf("calendar file %s: %d is within the calendar (%s to %s) and has no closed day: add that year's holidays",
				t.name, year, t.start, t.end)
		}
	}
	return nil
}

func printable(name string) bool {
	return len(name) <= maxName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}
