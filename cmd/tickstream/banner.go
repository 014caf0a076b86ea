package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// banner tells whoever started up where everything is and how to watch it.
type banner struct {
	nats, redis, dashboard      string
	embeddedNATS, embeddedRedis bool
	channels                    event.Channels
	source                      string // what the bridge reads; empty: the channel of ticks
	data                        string
	sim                         bool
	rate                        float64
}

// print writes the banner; a reader that has gone away is not worth a failure.
func (b banner) print(w io.Writer) {
	var s strings.Builder
	line := func(label, value string) { fmt.Fprintf(&s, "  %-11s %s\n", label, value) }
	s.WriteString("\ntickstream is up\n")
	line("NATS", redact(b.nats)+embedded(b.embeddedNATS))
	line("Redis", redact(b.redis)+embedded(b.embeddedRedis))
	line("Dashboard", b.dashboard)
	if b.data != "" {
		line("Data", b.data)
	}
	if b.sim {
		line("Feed", fmt.Sprintf("synthetic, %g ticks/s to %s", b.rate, b.channels.Ticks))
	} else {
		line("Feed", "publish ticks to "+cmp.Or(b.source, b.channels.Ticks))
	}
	s.WriteString("\nWatch health on either bus\n")
	fmt.Fprintf(&s, "  nats sub -s %s %s\n", redact(b.nats), stream.HealthStatus)
	fmt.Fprintf(&s, "  redis-cli -u %s SUBSCRIBE %s\n", redact(b.redis), b.channels.Health)
	fmt.Fprintf(&s, "  tickstream watch --nats %s\n", redact(b.nats))
	s.WriteString("\nFind out what is wrong\n")
	fmt.Fprintf(&s, "  tickstream doctor --nats %s --redis %s\n\n", redact(b.nats), redact(b.redis))
	_, _ = io.WriteString(w, s.String())
}

func embedded(is bool) string {
	if is {
		return " (embedded)"
	}
	return ""
}
