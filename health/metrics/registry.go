// Package metrics tells Prometheus what a process knows: of its own parts what
// they report, and, where it observes the system, what it measured there. Names
// follow Prometheus's conventions, and no label has more values than the system
// has parts: symbols are none.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// Registry is all that a process exports.
type Registry struct {
	registry *prometheus.Registry
	log      *slog.Logger
}

// New makes a registry of the Go runtime, the process, and what it was built from.
func New(version, commit string, log *slog.Logger) *Registry {
	r := &Registry{registry: prometheus.NewPedanticRegistry(), log: log}
	r.Add(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collect(func(s sink) {
		buildInfo.send(s, 1, version, commit)
	}))
	return r
}

// Add exports collectors. It panics where two export the same.
func (r *Registry) Add(collectors ...prometheus.Collector) { r.registry.MustRegister(collectors...) }

// AddComponent exports what a part of this process reports of itself, one a role.
func (r *Registry) AddComponent(report func() presence.Report) {
	r.Add(collect(func(s sink) {
		reported := report()
		sendBridge(s, reported.Bridge)
		sendEgress(s, reported.Egress)
		sendPipeline(s, reported.Pipeline)
		sendStore(s, reported.Store)
	}))
}

// AddNATS exports how this process is connected to NATS.
func (r *Registry) AddNATS(nc *nats.Conn) {
	r.Add(collect(func(s sink) {
		natsConnected.send(s, flag(nc.IsConnected()))
		natsReconnects.send(s, float64(nc.Stats().Reconnects))
	}))
}

// AddSystem exports what the health of the system is made of.
func (r *Registry) AddSystem(source Source) {
	r.Add(collect(func(s sink) { sendSystem(s, source.Snapshot()) }))
}

// scrapeTimeout is Prometheus's own.
const scrapeTimeout = 10 * time.Second

// Handler serves all of it, two at a time.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 2,
		Timeout:             scrapeTimeout - time.Second,
		EnableOpenMetrics:   true,
	})
}

// Answers tells whether all that is exported can be told, which takes the locks
// of every part: one that hangs does not.
func (r *Registry) Answers(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // ends with the gathering; where that hangs, the process is to be ended
		defer close(done)
		_, _ = r.registry.Gather() // what it cannot tell, it tells whoever scrapes
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // the caller's
	}
}
