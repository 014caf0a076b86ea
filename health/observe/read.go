package observe

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const headerPending = "Nats-Num-Pending"

// first is the first message that opts select; nil if there is none.
func first(ctx context.Context, js jetstream.JetStream, name string, opts ...jetstreamext.GetBatchOpt) (*jetstream.RawStreamMsg, error) {
	msgs, err := stream.Read(ctx, js, name, 1, opts...)
	if err != nil || len(msgs) == 0 {
		return nil, err
	}
	return msgs[0], nil
}

// after is how many messages that the same options select come after msg.
func after(msg *jetstream.RawStreamMsg) (uint64, error) {
	n, err := strconv.ParseUint(msg.Header.Get(headerPending), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s of message %d: %w", headerPending, msg.Sequence, err)
	}
	return n, nil
}

// countSince counts the messages of filter stored at or after since, as the
// server does: exactly, and without sending them.
func countSince(ctx context.Context, js jetstream.JetStream, name, filter string, since time.Time) (uint64, error) {
	msg, err := first(ctx, js, name, jetstreamext.GetBatchStartTime(since), jetstreamext.GetBatchSubject(filter))
	if err != nil || msg == nil {
		return 0, err
	}
	rest, err := after(msg)
	return rest + 1, err
}

// lastBefore is the last sequence before since, at most last.
func lastBefore(ctx context.Context, js jetstream.JetStream, name string, since time.Time, last uint64) (uint64, error) {
	msg, err := first(ctx, js, name, jetstreamext.GetBatchStartTime(since))
	if err != nil || msg == nil {
		return last, err
	}
	return min(msg.Sequence-1, last), nil
}
