package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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

	maxPending        = 4096 // acknowledgements awaited at most
	defaultAckTimeout = 10 * time.Second
)

// ErrSubject is returned by [NewPublisher] for what is no subject to publish
// on: empty, or with wildcards or spaces.
var ErrSubject = errors.New("not a subject to publish on")

// ErrUnacknowledged is returned by a [Publisher] when the stream that takes the
// subject has not acknowledged a tick in time: it may be stored or not.
var ErrUnacknowledged = errors.New("not acknowledged")

// PublisherConfig of a [Publisher].
type PublisherConfig struct {
	// Subject to publish on, in which each [SymbolPlaceholder] is replaced.
	// Required.
	Subject string
	// AckTimeout bounds the wait for one acknowledgement. Defaults to 10 s.
	AckTimeout time.Duration
}

// Check returns [ErrSubject] for what is no subject to publish on, and
// [stream.ErrOwned] for what a stream of tickstream would store.
func (c PublisherConfig) Check() error {
	example := c.subjectOf("AAPL")
	if example == "" || strings.ContainsAny(example, "*> \t\r\n{}") || strings.HasPrefix(example, "$") ||
		strings.HasPrefix(example, ".") || strings.HasSuffix(example, ".") || strings.Contains(example, "..") {
		return fmt.Errorf("subject %q: %w", c.Subject, ErrSubject)
	}
	if err := stream.CheckForeign(c.pattern()); err != nil {
		return fmt.Errorf("subject %q: %w", c.Subject, err)
	}
	return nil
}

func (c PublisherConfig) subjectOf(symbol string) string {
	return strings.ReplaceAll(c.Subject, SymbolPlaceholder, stream.EncodeSymbol(symbol))
}

// pattern matches the subject of every symbol, for which a wildcard stands.
func (c PublisherConfig) pattern() string {
	tokens := strings.Split(c.Subject, ".")
	for i, token := range tokens {
		if strings.Contains(token, SymbolPlaceholder) {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// Publisher is a [Sink] that publishes each tick on a NATS subject: into the
// stream that listens there with its acknowledgement, else to whoever is
// subscribed.
type Publisher struct {
	cfg     PublisherConfig
	nc      *nats.Conn
	js      jetstream.JetStream
	stream  string
	run     string                   // begins the message ids, so that no two runs share one
	futures []jetstream.PubAckFuture // since the last flush
}

var _ Sink = (*Publisher)(nil)

// NewPublisher makes a sink that publishes as cfg says. The error is that of
// [PublisherConfig.Check], or NATS's. What one of tickstream's streams stores is
// refused even where an operator gave that stream other subjects.
func NewPublisher(ctx context.Context, nc *nats.Conn, cfg PublisherConfig) (*Publisher, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg.AckTimeout = cmp.Or(cfg.AckTimeout, defaultAckTimeout)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(maxPending), jetstream.WithPublishAsyncTimeout(cfg.AckTimeout))
	if err != nil {
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	p := &Publisher{cfg: cfg, nc: nc, js: js, run: nuid.Next()}
	takers := js.StreamNames(ctx, jetstream.WithStreamListSubject(cfg.pattern()))
	for name := range takers.Name() {
		if slices.Contains([]string{stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects}, name) {
			return nil, fmt.Errorf("subject %q: stream %s stores it: %w", cfg.Subject, name, stream.ErrOwned)
		}
		p.stream = name
	}
	if err := takers.Err(); err != nil {
		return nil, fmt.Errorf("look up the stream of subject %s: %w", cfg.Subject, err)
	}
	return p, nil
}

// Stream is the stream that takes the subject, empty if none does.
func (p *Publisher) Stream() string { return p.stream }

// Write implements [Sink].
func (p *Publisher) Write(_ context.Context, m Message) error {
	msg := nats.NewMsg(p.cfg.subjectOf(m.Symbol))
	msg.Data = m.Payload
	if p.stream == "" {
		if err := p.nc.PublishMsg(msg); err != nil {
			return fmt.Errorf("publish on %s: %w", msg.Subject, err)
		}
		return nil
	}
	id := p.run + "-" + strconv.FormatUint(m.Sequence, 10)
	future, err := p.js.PublishMsgAsync(msg, jetstream.WithMsgID(id), jetstream.WithStallWait(p.cfg.AckTimeout),
		jetstream.WithRetryAttempts(0)) // a retry would come after the ticks behind it
	if err != nil {
		return p.failure(msg, err)
	}
	p.futures = append(p.futures, future)
	return nil
}

// failure names what an acknowledgement that did not come means.
func (p *Publisher) failure(msg *nats.Msg, err error) error {
	if errors.Is(err, jetstream.ErrAsyncPublishTimeout) || errors.Is(err, jetstream.ErrTooManyStalledMsgs) {
		err = fmt.Errorf("%w by stream %s within %v", ErrUnacknowledged, p.stream, p.cfg.AckTimeout)
	}
	return fmt.Errorf("publish on %s: %w", msg.Subject, err)
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
			return p.failure(future.Msg(), err)
		default:
		}
	}
	p.futures = p.futures[:0]
	return nil
}

func (p *Publisher) flushConn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.AckTimeout) // the client demands a deadline
	defer cancel()
	if err := p.nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("publish on %s: %w", p.cfg.Subject, err)
	}
	return nil
}
