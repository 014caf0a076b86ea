package trial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// Pipeline is how fast all of TICKS becomes bars and signals, stored and
// acknowledged, against a raw consumer.
func Pipeline(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name: "pipeline: TICKS to bars, indicators, patterns and alerts",
		Notes: []string{
			"A tick a second of each symbol. Ceiling: one raw ordered consumer that does nothing with what it reads.",
			"The time is from the first partition taken over until every result is stored and its ticks are acknowledged; with two workers it includes that they share the partitions.",
			"Afterwards every tick is in a bar, and no bar is there twice.",
		},
	}
	for _, symbols := range slices.Compact([]int{l.cfg.Symbols, l.cfg.ManySymbols}) {
		if err := l.pipeline(ctx, part, symbols); err != nil {
			return part, err
		}
	}
	part.Verdicts = []figure.Verdict{
		atLeast(fmt.Sprintf("rebuild: TICKS to all results published, %d symbols", l.cfg.Symbols), part.Rows[1].Ratio, 0.5, "raw ordered consumer"),
	}
	part.Verdicts[0].Met = part.Verdicts[0].Met && len(part.Problems) == 0
	return part, nil
}

func (l *Lab) pipeline(ctx context.Context, part *figure.Part, symbols int) (err error) {
	s, err := l.fresh(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	r := newRecording(symbols, l.cfg.Ticks, time.Second)
	if err := s.fill(ctx, r); err != nil {
		return err
	}
	names := []string{"raw ordered consumer", "pipeline, 1 worker", "pipeline, 2 workers"}
	rates, meters := make([]figure.Series, len(names)), make([]*figure.Meter, len(names))
	for i := range meters {
		meters[i] = figure.NewMeter()
	}
	var results figure.Series
	for range l.cfg.Rounds {
		cost, used, err := s.consume(ctx)
		if err != nil {
			return err
		}
		rates[0] = append(rates[0], float64(cost.Messages)/cost.Seconds)
		note(meters[0], used, cost.Messages, map[string]float64{"consumer": float64(cost.Allocations)})
		for workers := 1; workers <= 2; workers++ {
			w, err := s.work(ctx, r, workers)
			if err != nil {
				return err
			}
			rates[workers] = append(rates[workers], w.rate(r.ticks))
			note(meters[workers], w.spent, r.ticks, w.allocations)
			if workers == 1 {
				results = append(results, float64(w.results)/w.took.Seconds())
			}
			if w.problem != "" {
				part.Problems = append(part.Problems, w.problem)
			}
		}
	}
	of := fmt.Sprintf(", %s symbols", humanize.Comma(int64(symbols)))
	for i, name := range names {
		row := figure.Row{Name: name + of, Unit: ticksPerSecond, Values: rates[i], Uses: meters[i].Uses()}
		if i > 0 {
			row.Ratio = rates[i].Over(rates[0])
		}
		part.Rows = append(part.Rows, row)
	}
	part.Rows = append(part.Rows, figure.Row{Name: "bars and signals, 1 worker" + of, Unit: "results/s", Values: results})
	return nil
}
