package figure

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	out := &printer{w: w}
	out.line("%s", r.Machine)
	out.line("%s", r.Servers)
	out.line("%d rounds of each; median, least and most of them; a ratio is that of one round, and their median", r.Rounds)
	for i := range r.Parts {
		out.part(&r.Parts[i])
	}
	out.verdicts(r.Parts)
	return out.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// table writes lines whose cells end with tabs.
func (p *printer) table(align uint, fill func(line func(format string, args ...any))) {
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', align)
	fill(func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) }) // Flush tells
	if err := t.Flush(); p.err == nil {
		p.err = err
	}
}

func (p *printer) part(part *Part) {
	p.line("\n%s", part.Name)
	p.table(tabwriter.AlignRight, func(line func(string, ...any)) {
		line("figure\tunit\tmedian\tmin\tmax\tratio\t")
		for _, r := range part.Rows {
			line("%s\t%s\t%s\t%s\t%s\t%s\t", r.Name, r.Unit, Number(r.Values.Median()), Number(r.Values.Min()), Number(r.Values.Max()), share(r.Ratio.Median()))
		}
	})
	p.uses(part.Rows)
	for _, note := range part.Notes {
		p.line("  %s", note)
	}
	for _, problem := range part.Problems {
		p.line("WRONG: %s", problem)
	}
}

func (p *printer) uses(rows []Row) {
	count := 0
	for _, r := range rows {
		count += len(r.Uses)
	}
	if count == 0 {
		return
	}
	p.line("")
	p.table(tabwriter.AlignRight, func(line func(string, ...any)) {
		line("for\tprocess\tCPU s\tCPU µs/tick\tRSS peak\tallocations/tick\t")
		for _, r := range rows {
			for _, u := range r.Uses {
				allocations := "-"
				if u.Allocations >= 0 {
					allocations = fmt.Sprintf("%.2f", u.Allocations)
				}
				line("%s\t%s\t%.2f\t%.2f\t%s\t%s\t", r.Name, u.Process, u.CPU, u.CPUPerTick, Bytes(u.RSS), allocations)
			}
		}
	})
}

func (p *printer) verdicts(parts []Part) {
	p.line("")
	p.table(0, func(line func(string, ...any)) {
		line("target\twanted\tmeasured\tverdict")
		for _, part := range parts {
			for _, v := range part.Verdicts {
				line("%s\t%s\t%s\t%s", v.Target, v.Wanted, v.Measured, map[bool]string{true: "met", false: "MISSED"}[v.Met])
			}
		}
	})
}

// Bytes is a size for people.
func Bytes(n float64) string {
	if !(n > 0) {
		return "-"
	}
	return humanize.IBytes(uint64(n))
}

// Number has three digits that mean something, or all of a whole one.
func Number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "-"
	case math.Abs(x) >= 1000 || x == math.Trunc(x):
		return humanize.Comma(int64(math.Round(x)))
	case math.Abs(x) >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

func share(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}
