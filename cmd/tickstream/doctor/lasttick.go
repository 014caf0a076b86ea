package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// lastTick is the newest tick of the stream, nil if it holds none. Clock marks
// come after it, so the last message will not do.
func lastTick(ctx context.Context, ticks jetstream.Stream) (*jetstream.RawStreamMsg, error) {
	msg, err := ticks.GetLastMsgForSubject(ctx, stream.AllTicks)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest tick: %w", err)
	}
	return msg, nil
}
