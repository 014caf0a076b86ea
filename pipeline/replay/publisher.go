package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// SymbolPlaceholder in a subject stands for the tick's symbol as one token.
	SymbolPlaceholder = "{symbol}"

	maxPending = 4096 // acknowledgements awaited at most
	stallWait  = 10 * time.Second
)

// ErrSubject is returned by [NewPublisher] for what is no subject to publish
// on: empty, or with wildcards or spaces.
var ErrSubject = errors.New("not a subject to publish on")

// Publisher is a [Sink] that publishes each tick on a NATS subject: into the
// stream that listens there with its acknowledgement, else to whoever is
// subscribed.
type Publisher struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	subject string
	stream  string
	run     string                   // begins the message ids, so that no two runs share one
	futures []jetstream.PubAckFuture // since the last flush
}

var _ Sink = (*Publisher)(nil)

// NewPublisher makes a sink that publishes on subject, in which each
// [SymbolPlaceholder] is replaced.
func NewPublisher(ctx context.Context, nc *nats.Conn, subject string) (*Publisher, error) {
	p := &Publisher{nc: nc, subject: subject, run: nuid.Next()}
	example := p.subjectOf("AAPL")
	if example == "" || strings.ContainsAny(example, "*> \t\r\n{}") || strings.HasPrefix(example, "$") ||
		strings.HasPrefix(example, ".") || strings.HasSuffix(example, ".") || strings.Contains(example, "..") {
		return nil, fmt.Errorf("subject %q: %w", subject, ErrSubject)
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(maxPending))
	if err != nil {
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	name, err := js.StreamNameBySubject(ctx, example)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("look up the stream of subject %s: %w", example, err)
	}
	p.js, p.stream = js, name
	return p, nil
}

// Stream is the stream that takes the subject, empty if none does.
func (p *Publisher) Stream() string { return p.stream }

func (p *Publisher) subjectOf(symbol string) string {
	return strings.ReplaceAll(p.subject, SymbolPlaceholder, stream.EncodeSymbol(symbol))
}

// Write implements [Sink].
func (p *Publisher) Write(_ context.Context, m Message) error {
	msg := nats.NewMsg(p.subjectOf(m.Symbol))
	msg.Data = m.Payload
	if p.stream == "" {
		if err := p.nc.PublishMsg(msg); err != nil {
			return fmt.Errorf("publish on %s: %w", msg.Subject, err)
		}
		return nil
	}
	id := p.run + "-" + strconv.FormatUint(m.Sequence, 10)
	future, err := p.js.PublishMsgAsync(msg, jetstream.WithMsgID(id), jetstream.WithStallWait(stallWait))
	if err != nil {
		return fmt.Errorf("publish on %s: %w", msg.Subject, err)
	}
	p.futures = append(p.futures, future)
	return nil
}

// Flush implements [Sink].
func (p *Publisher) Flush(ctx context.Context) error {
	if p.stream == "" {
		return p.flushConn(ctx)
	}
	select {
	case <-p.js.PublishAsyncComplete():
	case <-ctx.Done():
		return fmt.Errorf("await acknowledgements of stream %s: %w", p.stream, ctx.Err())
	}
	for _, future := range p.futures {
		select {
		case err := <-future.Err():
			return fmt.Errorf("publish on %s: %w", future.Msg().Subject, err)
		default:
		}
	}
	p.futures = p.futures[:0]
	return nil
}

func (p *Publisher) flushConn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stallWait) // the client demands a deadline
	defer cancel()
	if err := p.nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("publish on %s: %w", p.subject, err)
	}
	return nil
}
