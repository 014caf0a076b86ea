package bridge

import (
	"context"

	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"go.opentelemetry.io/otel/trace"
)

// beginSpan begins the span of a batch, which began when its oldest message was
// read.
func (p *publisher) beginSpan(ctx context.Context, b *batch) (context.Context, trace.Span) {
	if !p.cfg.Telemetry.Traces() || len(b.all) == 0 {
		return ctx, telemetry.None
	}
	return p.cfg.Telemetry.Begin(ctx, "bridge batch", trace.WithTimestamp(b.all[0].receivedAt), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(telemetry.Stream.String(p.cfg.Channel), telemetry.Messages.Int(len(b.all))))
}

// carrySpan has the first message for each partition say which batch it came in:
// a worker reads one partition, and takes what follows as one batch.
func (p *publisher) carrySpan(ctx context.Context, b *batch) {
	if !p.cfg.Telemetry.Traces() || !trace.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	carried := make([]bool, p.partitions.Load())
	for _, msg := range b.msgs {
		if n := stream.PublishedPartition(msg.Subject, len(carried)); n >= 0 && !carried[n] {
			carried[n] = true
			telemetry.Carry(ctx, msg.Header)
		}
	}
}

// beginSpan begins the span of appending so many messages.
func (a *appender) beginSpan(ctx context.Context, messages int) (context.Context, trace.Span) {
	if !a.telemetry.Traces() {
		return ctx, telemetry.None
	}
	return a.telemetry.Begin(ctx, "append "+a.stream, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(telemetry.Stream.String(a.stream), telemetry.Messages.Int(messages)))
}
