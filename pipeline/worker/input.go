package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// prefetch is how many messages may be on the way to a partition.
	prefetch = 4000
	// ackWait is far longer than a worker holds a message: a takeover makes the
	// consumer anew and waits for nothing.
	ackWait    = 10 * time.Minute
	apiTimeout = 5 * time.Second
	// heartbeat is how often the server says that it still looks for messages. A
	// request dies with the node that has it, which two missing ones show.
	heartbeat = 2 * time.Second
)

// errGap is returned when messages went elsewhere: to another worker that
// believed to own the partition, or to a connection that broke.
var errGap = errors.New("messages are missing in the delivery")

// consumerName is the durable consumer of a partition: what it has pending is
// how far behind the partition is.
func consumerName(partition int) string { return "pipeline_" + strconv.Itoa(partition) }

// errQuiet is returned where no message came for a while.
var errQuiet = errors.New("no message has come")

// errCaughtUp is returned at the end of what was to be caught up with.
var errCaughtUp = errors.New("all that was behind is read")

// input reads one partition of TICKS in order, each message once.
type input struct {
	singly   chan message   // from a consumer of its own
	together chan []message // or from a [scan]
	left     []message      // of what came together
	failed   chan error
	quiet    *time.Ticker
	heard    bool // since quiet ticked last
	stop     func()

	pending   uint64 // when it was opened
	delivered uint64 // consumer sequence of the last message
	last      uint64 // stream sequence of the last message
}

// placeConsumer makes the consumer of a partition anew, behind the sequence
// last: with the one before go the requests of who read from it.
func placeConsumer(ctx context.Context, js jetstream.JetStream, partition int, last uint64) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	name := consumerName(partition)
	if err := js.DeleteConsumer(ctx, stream.Ticks, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, fmt.Errorf("delete consumer %s: %w", name, err)
	}
	consumer, err := js.CreateConsumer(ctx, stream.Ticks, jetstream.ConsumerConfig{
		Durable:       name,
		Description:   fmt.Sprintf("bars and signals of partition %d", partition),
		FilterSubject: stream.PartitionFilter(partition),
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   last + 1,
		AckPolicy:     jetstream.AckAllPolicy,
		AckWait:       ackWait,
		MaxAckPending: 10 * prefetch,
	})
	if err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", name, err)
	}
	return consumer, nil
}

// openInput reads what consumer gives, which is what follows the sequence last.
func openInput(consumer jetstream.Consumer, last uint64) (*input, error) {
	in := &input{
		singly: make(chan message, prefetch), failed: make(chan error, 1), quiet: time.NewTicker(lookInterval),
		last: last, pending: consumer.CachedInfo().NumPending,
	}
	fail := func(err error) {
		select {
		case in.failed <- fmt.Errorf("consume %s: %w", stream.Ticks, err):
		default:
		}
	}
	stopped := make(chan struct{})
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		m, ok := newMessage(msg)
		if !ok {
			fail(jetstream.ErrNotJSMessage)
			return
		}
		select {
		case in.singly <- m:
		case <-stopped:
		}
	}, jetstream.PullMaxMessages(prefetch), jetstream.PullHeartbeat(heartbeat), jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
		if ends(err) {
			fail(err)
		}
	}))
	if err != nil {
		in.quiet.Stop()
		return nil, fmt.Errorf("consume %s: %w", consumer.CachedInfo().Name, err)
	}
	in.stop = func() {
		close(stopped)
		consuming.Stop()
	}
	return in, nil
}

// ends tells whether a consumer gives no more after err, or cannot be heard.
func ends(err error) bool {
	for _, end := range []error{
		jetstream.ErrNoHeartbeat, jetstream.ErrConsumerDeleted, jetstream.ErrConsumerNotFound, jetstream.ErrBadRequest,
		jetstream.ErrConnectionClosed, nats.ErrNoResponders,
	} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

func (in *input) close() {
	in.quiet.Stop()
	in.stop()
}

// next is the next message that was not read yet; errQuiet where none comes.
func (in *input) next(ctx context.Context) (message, error) {
	for {
		if len(in.left) > 0 {
			m := in.left[0]
			in.left = in.left[1:]
			in.heard, in.last = true, m.sequence
			return m, nil
		}
		select {
		case m := <-in.singly:
			if m.delivered != in.delivered+1 {
				return m, fmt.Errorf("consume %s: delivery %d follows %d: %w", stream.Ticks, m.delivered, in.delivered, errGap)
			}
			in.delivered = m.delivered
			if m.sequence <= in.last {
				continue // delivered again
			}
			in.heard, in.last = true, m.sequence
			return m, nil
		case more, ok := <-in.together:
			if !ok {
				return message{}, errCaughtUp
			}
			in.left = more
		case err := <-in.failed:
			return message{}, err
		case <-in.quiet.C:
			if !in.heard {
				return message{}, errQuiet
			}
			in.heard = false
		case <-ctx.Done():
			return message{}, fmt.Errorf("consume %s: %w", stream.Ticks, ctx.Err())
		}
	}
}
