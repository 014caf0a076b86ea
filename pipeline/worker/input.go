package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

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

// input reads one partition of TICKS in order, each message once.
type input struct {
	messages  jetstream.MessagesContext
	pending   uint64 // when it was opened
	delivered uint64 // consumer sequence of the last message
	last      uint64 // stream sequence of the last message
}

// openInput reads from the sequence after last. The consumer is made anew: with
// the one before go the requests of who read from it.
func openInput(ctx context.Context, js jetstream.JetStream, partition int, last uint64) (*input, error) {
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
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetch), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return nil, fmt.Errorf("consume %s: %w", name, err)
	}
	return &input{messages: messages, last: last, pending: consumer.CachedInfo().NumPending}, nil
}

func (in *input) close() { in.messages.Stop() }

// next is the next message that was not read yet, and what the server says of
// it.
func (in *input) next(ctx context.Context) (jetstream.Msg, *jetstream.MsgMetadata, error) {
	for {
		msg, err := in.messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, nil, fmt.Errorf("consume %s: %w", stream.Ticks, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return nil, nil, fmt.Errorf("consume %s: %w", stream.Ticks, err)
		}
		if meta.Sequence.Consumer != in.delivered+1 {
			return nil, nil, fmt.Errorf("consume %s: delivery %d follows %d: %w", stream.Ticks, meta.Sequence.Consumer, in.delivered, errGap)
		}
		in.delivered = meta.Sequence.Consumer
		if meta.Sequence.Stream <= in.last {
			continue // delivered again
		}
		in.last = meta.Sequence.Stream
		return msg, meta, nil
	}
}
