package trial

import (
	"context"
	"fmt"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

const (
	ticksPerSecond = "ticks/s"
	milliseconds   = "ms"
)

// Ingress is the sustained rate from Redis into JetStream, with a bounded
// backlog before it, against the naive loop.
func Ingress(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name: "ingress: sustained, Redis to JetStream",
		Notes: []string{
			fmt.Sprintf("%d ticks of %d symbols; as many are published as are stored, %d ahead; the rate is that of the server's own times of storing.", l.cfg.Ticks, l.cfg.Symbols, backlog),
			"naive loop: go-redis ReceiveMessage, encoding/json, PublishAsync without message ids. power-safe: against a server that calls fsync before each acknowledgement.",
			"Afterwards each stream is read: nothing lost, nothing doubled, in order for each symbol.",
		},
	}
	paths := []path{naivePath, ourPath, safePath}
	rates, meters := make([]figure.Series, len(paths)), make([]*figure.Meter, len(paths))
	for round := range l.cfg.Rounds {
		for i, by := range paths {
			if round == 0 {
				meters[i] = figure.NewMeter()
			}
			p, err := l.pass(ctx, by, l.cfg.Symbols, l.cfg.Ticks, 0)
			if err != nil {
				return part, err
			}
			rates[i] = append(rates[i], p.rate())
			note(meters[i], p.spent, p.ticks, p.allocations)
			part.Problems = append(part.Problems, p.problems(by.name)...)
		}
	}
	for i, by := range paths {
		row := figure.Row{Name: by.name, Unit: ticksPerSecond, Values: rates[i], Uses: meters[i].Uses()}
		if i > 0 {
			row.Ratio = rates[i].Over(rates[0])
		}
		part.Rows = append(part.Rows, row)
	}
	part.Verdicts = []figure.Verdict{
		atLeast("ingress sustained, exactly once, order kept", part.Rows[1].Ratio, 1.3, "naive loop"),
		atLeast("ingress power-safe (fsync before ack)", part.Rows[2].Ratio, 0.55, "naive loop without fsync"),
	}
	for i := range part.Verdicts {
		part.Verdicts[i].Met = part.Verdicts[i].Met && len(part.Problems) == 0
	}
	return part, nil
}
