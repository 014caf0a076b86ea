package telemetry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func traced(t *testing.T, sampler sdktrace.Sampler) (*telemetry.Telemetry, *tracetest.InMemoryExporter) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithSampler(sampler))
	return telemetry.New(provider.Tracer("test")), spans
}

// What is not traced costs no memory, and nothing is written into messages.
func TestWithoutTracesThereIsNoCost(t *testing.T) {
	ctx := t.Context()
	header := nats.Header{}
	for name, nothing := range map[string]*telemetry.Telemetry{"nobody": nil, "histograms alone": telemetry.New(nil)} {
		allocations := testing.AllocsPerRun(100, func() {
			if nothing.Traces() {
				t.Fatal("there are traces")
			}
			inside, span := nothing.Begin(ctx, "batch")
			telemetry.Carry(inside, header)
			if telemetry.Carried(header).IsValid() {
				t.Fatal("a header carries a span")
			}
			telemetry.End(span, nil)
			nothing.Appended("TICKS", time.Second)
			nothing.Stored("TICKS", time.Second)
			nothing.Published("BARS", time.Second, time.Second)
		})
		if allocations != 0 || len(header) != 0 {
			t.Errorf("%s: %v allocations, the header is %v", name, allocations, header)
		}
	}
}

// A message says which batch it came in, in the header that others know.
func TestMessageCarriesItsBatch(t *testing.T) {
	traces, spans := traced(t, sdktrace.AlwaysSample())
	ctx, span := traces.Begin(t.Context(), "batch")
	header := nats.Header{}
	telemetry.Carry(ctx, header)
	telemetry.End(span, errors.New("not stored"))
	want := span.SpanContext()
	if got := header["traceparent"]; len(got) != 1 || got[0] != "00-"+want.TraceID().String()+"-"+want.SpanID().String()+"-01" {
		t.Errorf("the header is %v", header)
	}
	if got := telemetry.Carried(header); got.TraceID() != want.TraceID() || got.SpanID() != want.SpanID() || !got.IsRemote() {
		t.Errorf("it carries %v, want %v", got, want)
	}
	if got := spans.GetSpans(); len(got) != 1 || got[0].Status.Code != codes.Error || got[0].Status.Description != "not stored" {
		t.Errorf("the spans are %+v", got)
	}
}

func TestWhatIsNotRecordedIsNotCarried(t *testing.T) {
	traces, spans := traced(t, sdktrace.NeverSample())
	ctx, span := traces.Begin(t.Context(), "batch")
	header := nats.Header{}
	telemetry.Carry(ctx, header)
	telemetry.End(span, nil)
	if len(header) != 0 || len(spans.GetSpans()) != 0 {
		t.Errorf("the header is %v, the spans are %v", header, spans.GetSpans())
	}
	for name, value := range map[string]string{
		"nothing": "", "rubbish": "hello", "unsampled": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
		"no trace": "00-00000000000000000000000000000000-b7ad6b7169203331-01",
	} {
		if got := telemetry.Carried(nats.Header{telemetry.Header: {value}}); got.IsValid() {
			t.Errorf("%s carries %v", name, got)
		}
	}
}

// A stop is no failure.
func TestStopIsNoFailure(t *testing.T) {
	traces, spans := traced(t, sdktrace.AlwaysSample())
	_, span := traces.Begin(t.Context(), "batch")
	telemetry.End(span, context.Canceled)
	if got := spans.GetSpans(); len(got) != 1 || got[0].Status.Code == codes.Error {
		t.Errorf("the spans are %+v", got)
	}
}
