package telemetry

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header of a message says, in the form of the W3C, which batch it came in.
const Header = "traceparent"

// The attributes of spans.
const (
	Stream    = attribute.Key("messaging.destination.name")
	Messages  = attribute.Key("messaging.batch.message_count")
	Partition = attribute.Key("messaging.destination.partition.id")
	Attempts  = attribute.Key("tickstream.attempts")
)

var form propagation.TraceContext

// Carry writes the span in ctx into a message's header, where it is one that is
// recorded.
func Carry(ctx context.Context, header nats.Header) {
	if sampled := trace.SpanContextFromContext(ctx); sampled.IsSampled() {
		// Not by Set, which would write Traceparent.
		form.Inject(ctx, carrier(header))
	}
}

// Carried is the span that a message came in; not valid where it came in none
// that is recorded.
func Carried(header nats.Header) trace.SpanContext {
	if len(header) == 0 || len(header[Header]) == 0 {
		return trace.SpanContext{}
	}
	found := trace.SpanContextFromContext(form.Extract(context.Background(), carrier(header)))
	if !found.IsSampled() {
		return trace.SpanContext{}
	}
	return found
}

// carrier is a header as the W3C's form reads and writes it.
type carrier nats.Header

var _ propagation.TextMapCarrier = carrier(nil)

func (c carrier) Get(key string) string {
	if values := c[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (c carrier) Set(key, value string) { c[key] = []string{value} }

func (c carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}

// End ends a span, with the error that ended what it is of, if one did.
func End(span trace.Span, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
