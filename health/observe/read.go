package observe

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// first is the first message that opts select; nil if there is none.
func first(ctx context.Context, js jetstream.JetStream, name string, opts ...jetstreamext.GetBatchOpt) (*jetstream.RawStreamMsg, error) {
	msgs, err := stream.Read(ctx, js, name, 1, opts...)
	if err != nil || len(msgs) == 0 {
		return nil, err
	}
	return msgs[0], nil
}

// lastBefore is the last sequence before since, at most last.
func lastBefore(ctx context.Context, js jetstream.JetStream, name string, since time.Time, last uint64) (uint64, error) {
	msg, err := first(ctx, js, name, jetstreamext.GetBatchStartTime(since))
	if err != nil || msg == nil {
		return last, err
	}
	return min(msg.Sequence-1, last), nil
}
