package trial

import (
	"context"
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// Burst is what happens to very many ticks at once.
func Burst(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name:  fmt.Sprintf("burst: %s ticks at Redis's full speed", humanize.Comma(l.cfg.Burst)),
		Notes: []string{"Stored in: from the start of the load until the server has stored the last tick."},
	}
	var published, stored, took, lost, cuts, memory figure.Series
	meter := figure.NewMeter()
	for range l.cfg.Rounds {
		p, err := l.pass(ctx, ourPath, l.cfg.Symbols, l.cfg.Burst, -1)
		if err != nil {
			return part, err
		}
		published = append(published, float64(p.load.Ticks)/p.load.Seconds)
		stored, took = append(stored, p.rate()), append(took, p.storedIn.Seconds())
		lost, cuts = append(lost, float64(p.lost+p.load.Unheard)), append(cuts, float64(p.report.Gaps))
		for _, s := range p.spent {
			if s.process == "bridge" {
				memory = append(memory, float64(s.rss)/(1<<20))
			}
		}
		note(meter, p.spent, p.ticks, p.allocations)
		part.Problems = append(part.Problems, p.problems("burst")...)
	}
	part.Rows = []figure.Row{
		{Name: "published", Unit: ticksPerSecond, Values: published},
		{Name: "stored", Unit: ticksPerSecond, Values: stored, Ratio: stored.Over(published), Uses: meter.Uses()},
		{Name: "stored in", Unit: "s", Values: took},
		{Name: "lost", Unit: "ticks", Values: lost},
		{Name: "cut off by Redis", Unit: "times", Values: cuts},
		{Name: "memory of the bridge at most", Unit: "MiB", Values: memory},
	}
	worst := math.Max(0, memory.Max())
	part.Verdicts = []figure.Verdict{{
		Target:   fmt.Sprintf("burst of %s at Redis's full speed", humanize.Comma(l.cfg.Burst)),
		Wanted:   "0 lost, no disconnect, RSS ≤ 700 MiB",
		Measured: fmt.Sprintf("%.0f lost, %.0f disconnects, %.0f MiB", lost.Max(), cuts.Max(), worst),
		Met:      len(part.Problems) == 0 && worst <= 700,
	}}
	return part, nil
}
