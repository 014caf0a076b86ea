package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// size is what was measured at one number of symbols.
type size struct {
	symbols                int
	ingress, raw, one, two figure.Series
	heap, rss              figure.Series // of one worker at the end, bytes
	state                  figure.Series // of the symbols alone with all windows full, bytes
}

// Growth is how the figures change with the number of symbols.
func Growth(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name: "growth: by the number of symbols",
		Notes: []string{
			fmt.Sprintf("%d ticks each, one a second of each symbol. Heap and memory of the worker are those at the end; heap is what is in use after a garbage collection.", l.cfg.Ticks),
			fmt.Sprintf("State: the heap that the bars, indicators and patterns of a symbol take after %d minutes, when every window is full, without the worker around it.", stateMinutes),
			"The ratio of the bridge is to its own rate at the first number of symbols.",
		},
	}
	sizes := make([]*size, len(l.cfg.Sizes))
	for i, symbols := range l.cfg.Sizes {
		sizes[i] = &size{symbols: symbols}
		if err := l.growth(ctx, part, sizes[i]); err != nil {
			return part, err
		}
	}
	for _, z := range sizes {
		of := fmt.Sprintf(", %s symbols", humanize.Comma(int64(z.symbols)))
		part.Rows = append(part.Rows,
			figure.Row{Name: "bridge" + of, Unit: ticksPerSecond, Values: z.ingress, Ratio: z.ingress.Over(sizes[0].ingress)},
			figure.Row{Name: "raw ordered consumer" + of, Unit: ticksPerSecond, Values: z.raw},
			figure.Row{Name: "pipeline, 1 worker" + of, Unit: ticksPerSecond, Values: z.one, Ratio: z.one.Over(z.raw)},
			figure.Row{Name: "pipeline, 2 workers" + of, Unit: ticksPerSecond, Values: z.two, Ratio: z.two.Over(z.raw)},
			figure.Row{Name: "heap of 1 worker" + of, Unit: "MiB", Values: scaled(z.heap, 1<<20)},
			figure.Row{Name: "memory of 1 worker" + of, Unit: "MiB", Values: scaled(z.rss, 1<<20)},
			figure.Row{Name: "state of a symbol" + of, Unit: "KiB", Values: scaled(z.state, 1024*float64(z.symbols))},
		)
	}
	last := sizes[len(sizes)-1]
	each := scaled(last.state, 1024*float64(last.symbols))
	part.Verdicts = []figure.Verdict{atMost("memory per symbol, all indicators and patterns on", each, 8, "KiB")}
	return part, nil
}

func scaled(s figure.Series, by float64) figure.Series {
	out := make(figure.Series, len(s))
	for i, x := range s {
		out[i] = x / by
	}
	return out
}

func (l *Lab) growth(ctx context.Context, part *figure.Part, z *size) (err error) {
	for range l.cfg.Rounds {
		p, err := l.pass(ctx, ourPath, z.symbols, max(l.cfg.Ticks, int64(z.symbols)), 0)
		if err != nil {
			return err
		}
		z.ingress = append(z.ingress, p.rate())
		part.Problems = append(part.Problems, p.problems(fmt.Sprintf("%d symbols", z.symbols))...)
	}
	s, err := l.fresh(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := newRecording(z.symbols, max(l.cfg.Ticks, int64(z.symbols)), time.Second)
	if err := s.fill(ctx, r); err != nil {
		return err
	}
	for range l.cfg.Rounds {
		cost, _, err := s.consume(ctx)
		if err != nil {
			return err
		}
		bytes, err := stateOf(z.symbols, s.partitions)
		if err != nil {
			return err
		}
		z.state = append(z.state, bytes)
		z.raw = append(z.raw, float64(cost.Messages)/cost.Seconds)
		for workers := 1; workers <= 2; workers++ {
			w, err := s.work(ctx, r, workers)
			if err != nil {
				return err
			}
			if workers == 1 {
				z.one, z.heap, z.rss = append(z.one, w.rate(r.ticks)), append(z.heap, w.heap), append(z.rss, w.rss)
			} else {
				z.two = append(z.two, w.rate(r.ticks))
			}
			if w.problem != "" {
				part.Problems = append(part.Problems, w.problem)
			}
		}
	}
	return nil
}
