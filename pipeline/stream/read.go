package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// ErrNotConnected is returned where NATS does not answer because there is no
// connection to it.
var ErrNotConnected = errors.New("not connected to NATS")

const headerPending = "Nats-Num-Pending"

// Read returns up to n messages of a stream, by a direct get: it makes no
// consumer. None is no error.
func Read(ctx context.Context, js jetstream.JetStream, name string, n int, opts ...jetstreamext.GetBatchOpt) ([]*jetstream.RawStreamMsg, error) {
	batch, err := jetstreamext.GetBatch(ctx, js, name, n, opts...)
	if err != nil {
		return nil, fmt.Errorf("read from stream %s: %w", name, err)
	}
	var msgs []*jetstream.RawStreamMsg
	for msg, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read from stream %s: %w", name, err)
		}
		if msgs = append(msgs, msg); len(msgs) == n {
			return msgs, nil
		}
	}
	// An answer that does not come ends the loop as one that is complete does.
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read from stream %s: %w", name, ctx.Err())
	}
	if len(msgs) == 0 {
		return nil, fmt.Errorf("read from stream %s: %w", name, ErrNotConnected)
	}
	return msgs, nil
}

// After is how many messages that the same options select come after one that
// [Read] returned.
func After(msg *jetstream.RawStreamMsg) (uint64, error) {
	n, err := strconv.ParseUint(msg.Header.Get(headerPending), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s of message %d: %w", headerPending, msg.Sequence, err)
	}
	return n, nil
}

// CountSince counts the messages of filter stored at or after since, as the
// server does: exactly, and without sending them.
func CountSince(ctx context.Context, js jetstream.JetStream, name, filter string, since time.Time) (uint64, error) {
	msgs, err := Read(ctx, js, name, 1, jetstreamext.GetBatchStartTime(since), jetstreamext.GetBatchSubject(filter))
	if err != nil || len(msgs) == 0 {
		return 0, err
	}
	rest, err := After(msgs[0])
	return rest + 1, err
}
