package trial

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// quantiles that are shown of every set of delays.
var quantiles = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}}

// spread gathers the quantiles of delays over rounds.
type spread [4]figure.Series

func (s *spread) add(d figure.Delays) {
	for i, q := range quantiles {
		s[i] = append(s[i], d.Quantile(q.q))
	}
}

func (s *spread) p99() figure.Series { return s[1] }

// rows are those of a spread; ceiling is nil for one that is itself a ceiling.
func (s *spread) rows(name string, ceiling *spread, uses []figure.Use) []figure.Row {
	rows := make([]figure.Row, len(quantiles))
	for i, q := range quantiles {
		rows[i] = figure.Row{Name: name + " " + q.name, Unit: milliseconds, Values: s[i]}
		if ceiling != nil {
			rows[i].Ratio = s[i].Over(ceiling[i])
		}
	}
	rows[0].Uses = uses
	return rows
}

// Latency is the time from a tick's publication on Redis until JetStream has
// stored it, at even rates.
func Latency(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name: "latency: Redis publish to stored in JetStream",
		Notes: []string{
			fmt.Sprintf("%v each, evenly in slices of at most 0.5 ms. From the time that a tick carries of its sending to the server's own time of storing it: the same ruler for both.", l.cfg.Duration),
		},
	}
	for _, rate := range l.cfg.Rates {
		ticks := int64(math.Max(1, rate*l.cfg.Duration.Seconds()))
		var delays [2]spread
		meters := [2]*figure.Meter{figure.NewMeter(), figure.NewMeter()}
		paths := [2]path{naivePath, ourPath}
		lost := false
		for range l.cfg.Rounds {
			for i, by := range paths {
				p, err := l.pass(ctx, by, l.cfg.Symbols, ticks, rate)
				if err != nil {
					return part, err
				}
				delays[i].add(p.delays)
				note(meters[i], p.spent, p.ticks, p.allocations)
				problems := p.problems(fmt.Sprintf("%s at %g/s", by.name, rate))
				part.Problems, lost = append(part.Problems, problems...), lost || len(problems) > 0
				if behind := p.load.Seconds - ticksFor(ticks, rate).Seconds(); behind > 1 {
					part.Notes = append(part.Notes, fmt.Sprintf("%s at %g/s: the load itself was %.1f s behind.", by.name, rate, behind))
				}
			}
		}
		at := humanize.Comma(int64(rate)) + "/s"
		part.Rows = append(part.Rows, delays[0].rows("naive "+at, nil, meters[0].Uses())...)
		part.Rows = append(part.Rows, delays[1].rows("bridge "+at, &delays[0], meters[1].Uses())...)
		v := latencyVerdict(rate, at, delays[1].p99(), delays[1].p99().Over(delays[0].p99()))
		v.Met = v.Met && !lost
		part.Verdicts = append(part.Verdicts, v)
	}
	return part, nil
}

func ticksFor(ticks int64, rate float64) time.Duration {
	return time.Duration(float64(ticks) / rate * float64(time.Second))
}

// latencyVerdict has a target of its own for low rates.
func latencyVerdict(rate float64, at string, p99, ratio figure.Series) figure.Verdict {
	target := "latency Redis publish to stored, " + at
	if rate > 10_000 {
		return atMost(target, p99, 5, "ms p99")
	}
	v := atMost(target, p99, 1, "ms p99")
	v.Wanted += " and ≤ 2 × naive loop"
	v.Measured += ", " + strconv.FormatFloat(ratio.Median(), 'f', 2, 64) + " ×"
	v.Met = v.Met && ratio.Median() <= 2
	return v
}
