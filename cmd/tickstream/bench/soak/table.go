package soak

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // Flush tells
	line("fault\tinjected\tticks\tlost\tdoubled\tout of order\tin a gap\twrong\trecovery\tlongest\t\n")
	for _, row := range append(r.Matrix, r.Total) {
		recovery, longest := "-", "-"
		if row.Injected > 0 {
			recovery, longest = fmt.Sprintf("%.2f s", row.Median), fmt.Sprintf("%.2f s", row.Max)
		}
		line("%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t\n", row.Fault, row.Injected, row.Published, row.Lost,
			row.Duplicated, row.OutOfOrder, row.InGap, row.Wrong, recovery, longest)
	}
	line("\n")
	line("process\tgoroutines\t\t\tdescriptors\t\t\tmemory\t\t\tdisk\t\t\tflat\t\n")
	for _, p := range r.Processes {
		line("%s", p.Role)
		for _, number := range []func(Holding) string{
			func(h Holding) string { return fmt.Sprint(h.Goroutines) },
			func(h Holding) string { return fmt.Sprint(h.Descriptors) },
			func(h Holding) string { return size(h.RSS) },
			func(h Holding) string { return size(h.Disk) },
		} {
			line("\t%s\t%s\t%s", number(p.Start), number(p.Quarter), number(p.End))
		}
		line("\t%s\t\n", map[bool]string{true: "yes", false: "NO"}[p.Flat])
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	_, err := fmt.Fprintf(w, `
%d ticks in TICKS, %d bars (%d corrections), %d signals, %d alerts, %d ticks too late;
%d malformed ticks refused, %d missing, %d twice; %d rows in PostgreSQL, %d wrong.
%d ticks were published while nobody was subscribed, %d were not answered by Redis; %d gaps.
Seed %d, %.0f ticks/s for %.0f s.

`+legend, r.Stored, r.Bars, r.Corrections, r.Signals, r.Alerts, r.TooLate,
		r.Refused, r.RefusedMissing, r.RefusedTwice, r.Rows, r.WrongRows,
		r.Unheard, r.Unanswered, r.Gaps, r.Seed, r.Rate, r.Seconds)
	for _, problem := range r.Problems {
		_, err = fmt.Fprintf(w, "WRONG: %s\n", problem)
	}
	if err == nil && r.OK() {
		_, err = fmt.Fprintln(w, "Nothing is wrong.")
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

func size(n int64) string { return humanize.IBytes(uint64(max(0, n))) } //nolint:gosec // not negative

const legend = `ticks: those that Redis delivered to at least one subscriber. lost: of these, not in
TICKS; in a gap: of these, not in TICKS and published while Redis itself was broken,
within a gap that the bridge told health of. wrong: bars, signals and alerts that a
plain recomputation of TICKS gives otherwise. recovery: until ticks published after
the fault are stored and worked through, from the beginning of a fault that the
system outlives, else from its end. Processes at the start, a quarter and the end;
flat: the end is at most 1.3 times the quarter and a little.
`
