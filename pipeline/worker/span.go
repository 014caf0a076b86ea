package worker

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/tickstock/tickstream/pipeline/telemetry"
	"go.opentelemetry.io/otel/trace"
)

// maxLinks bounds the batches that one span tells it comes from.
const maxLinks = 32

// fold is the span of what is taken in before its results are handed over. It
// goes on from the batches that the messages were stored in.
type fold struct {
	span  trace.Span // nil while nothing that is recorded was taken in
	links int
}

// follow notes which batch a message came in. Only the first of a batch says.
func (t *tenure) follow(msg *message) {
	if !t.cfg.Telemetry.Traces() {
		return
	}
	batch := telemetry.Carried(msg.Headers())
	f := &t.fold
	switch {
	case !batch.IsValid():
		return
	case f.span == nil:
		_, f.span = t.cfg.Telemetry.Begin(trace.ContextWithRemoteSpanContext(context.Background(), batch), "fold",
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(telemetry.Partition.String(strconv.Itoa(t.partition))))
		f.links = 0
	case f.links < maxLinks:
		f.links++
		f.span.AddLink(trace.Link{SpanContext: batch})
	}
	t.blame(f.span.SpanContext())
}

// endFold ends the span, if there is one: what follows comes from elsewhere.
func (t *tenure) endFold() {
	if t.fold.span == nil {
		return
	}
	t.fold.span.End()
	t.fold.span = nil
	t.blame(trace.SpanContext{})
}

// blame says what the next results come from.
func (t *tenure) blame(cause trace.SpanContext) {
	for _, o := range t.outboxes() {
		o.cause = cause
	}
}

// handover is what an outbox is handed at once, and the span that it comes from.
type handover struct {
	results []result
	cause   trace.SpanContext
}

func (h handover) appendCause(causes []trace.SpanContext) []trace.SpanContext {
	if !h.cause.IsValid() || len(causes) > maxLinks || slices.ContainsFunc(causes, h.cause.Equal) {
		return causes
	}
	return append(causes, h.cause)
}

// publishTimed publishes as [outbox.publish] does, and tells how long it took.
func (o *outbox) publishTimed(ctx context.Context, results []result, causes []trace.SpanContext) bool {
	began, first := time.Now(), results[0].at
	span := o.beginSpan(len(results), causes)
	done := o.publish(ctx, results)
	span.End()
	if done {
		now := time.Now()
		o.telemetry.Published(o.stream, now.Sub(began), now.Sub(time.Unix(0, first.storedAt)))
	}
	return done
}

func (o *outbox) beginSpan(messages int, causes []trace.SpanContext) trace.Span {
	if len(causes) == 0 {
		return telemetry.None
	}
	links := make([]trace.Link, 0, len(causes)-1)
	for _, cause := range causes[1:] {
		links = append(links, trace.Link{SpanContext: cause})
	}
	_, span := o.telemetry.Begin(trace.ContextWithSpanContext(context.Background(), causes[0]), "publish "+o.stream,
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithLinks(links...), trace.WithAttributes(
			telemetry.Stream.String(o.stream), telemetry.Messages.Int(messages), telemetry.Partition.String(strconv.Itoa(o.partition))))
	return span
}
