package trial

import (
	"context"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// Trial is one benchmark. What it returns beside an error is what it measured
// until then.
type Trial struct {
	Name, Usage string
	Run         func(context.Context, *Lab) (*figure.Part, error)
}

// All are the benchmarks in the order of the table.
func All() []Trial {
	return []Trial{
		{"ingress", "Redis to JetStream, sustained, against the naive loop, process-safe and power-safe", Ingress},
		{"burst", "Very many ticks at once: lost, disconnects, memory", Burst},
		{"latency", "From Redis publish until stored in JetStream, at even rates", Latency},
		{"pipeline", "TICKS to bars and signals, stored, against a raw ordered consumer", Pipeline},
	}
}
