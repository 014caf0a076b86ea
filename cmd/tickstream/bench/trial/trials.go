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
		{"core", "Decode and aggregate on one core, no server", Core},
		{"replay", "replay --speed max to standard output and into another NATS, against a raw ordered consumer", Replay},
		{"e2e", "Live across minute ends: from the watermark to the bars and signals", EndToEnd},
		{"idle", "What up costs without a feed, and how fast it is there", Idle},
		{"growth", "Rates and memory by the number of symbols, with 1 and 2 workers", Growth},
	}
}
