// Package telemetry tells how long the steps of a batch of ticks take on its way
// from Redis to bars: as histograms, and as OpenTelemetry spans where a tracer is
// given. It knows batches only, so that a tick costs nothing.
package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Telemetry is what the parts of one process report to. A nil one takes
// everything and keeps nothing.
type Telemetry struct {
	tracer trace.Tracer // nil for no spans

	appended  *prometheus.HistogramVec
	stored    *prometheus.HistogramVec
	published *prometheus.HistogramVec
	delayed   *prometheus.HistogramVec
}

var _ prometheus.Collector = (*Telemetry)(nil)

// buckets go from a batch on one machine to an outage.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// New makes a telemetry with the spans of tracer, or without any where it is nil.
func New(tracer trace.Tracer) *Telemetry {
	durations := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tickstream_" + name, Help: help, Buckets: buckets}, []string{"stream"})
	}
	return &Telemetry{
		tracer:    tracer,
		appended:  durations("bridge_append_duration_seconds", "Time to append one batch to a stream, attempts that failed included."),
		stored:    durations("bridge_store_delay_seconds", "Time from reading the oldest tick of a batch off Redis to JetStream's acknowledgement of the batch."),
		published: durations("pipeline_publish_duration_seconds", "Time to publish one batch of results to a stream, attempts that failed included."),
		delayed:   durations("pipeline_result_delay_seconds", "Time from the storage of a message in TICKS to that of the results that follow from it, by the server's and this host's clock."),
	}
}

func (t *Telemetry) all() []prometheus.Collector {
	return []prometheus.Collector{t.appended, t.stored, t.published, t.delayed}
}

// Describe is [prometheus.Collector]'s.
func (t *Telemetry) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range t.all() {
		c.Describe(ch)
	}
}

// Collect is [prometheus.Collector]'s.
func (t *Telemetry) Collect(ch chan<- prometheus.Metric) {
	for _, c := range t.all() {
		c.Collect(ch)
	}
}

// Appended notes that a bridge took so long to append a batch to a stream.
func (t *Telemetry) Appended(stream string, took time.Duration) {
	if t != nil {
		t.appended.WithLabelValues(stream).Observe(took.Seconds())
	}
}

// Stored notes how long ago the oldest tick of a batch, which is stored now, was
// read.
func (t *Telemetry) Stored(stream string, delay time.Duration) {
	if t != nil {
		t.stored.WithLabelValues(stream).Observe(max(0, delay).Seconds())
	}
}

// Published notes that a worker took so long to publish results to a stream, and
// how long ago the message that they come from was stored.
func (t *Telemetry) Published(stream string, took, delay time.Duration) {
	if t != nil {
		t.published.WithLabelValues(stream).Observe(took.Seconds())
		t.delayed.WithLabelValues(stream).Observe(max(0, delay).Seconds())
	}
}

// Traces tells whether spans are made at all.
func (t *Telemetry) Traces() bool { return t != nil && t.tracer != nil }

// None is the span of what is not traced: it takes everything and keeps nothing.
var None = trace.SpanFromContext(context.Background())

// Begin begins a span, below the one in ctx if there is one. Ask
// [Telemetry.Traces] before, for options cost memory even where there are none.
func (t *Telemetry) Begin(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if !t.Traces() {
		return ctx, None
	}
	return t.tracer.Start(ctx, name, opts...) //nolint:spancheck // the caller ends it
}
