package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// lastMark is the newest clock mark of TICKS; zero if there is none. A bridge
// writes them only while it listens, so it tells until when all was read.
func (i *Ingress) lastMark(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.PublishTimeout)
	defer cancel()
	msg, err := stream.AtLeader(ctx, i.js, stream.Ticks, stream.Place{Last: stream.ClockSubject(0)})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the last clock mark: %w", err)
	}
	var mark event.ClockMark
	if err := json.Unmarshal(msg.Data, &mark); err != nil {
		return time.Time{}, fmt.Errorf("read the last clock mark: %w", err)
	}
	return mark.Time.Time, nil
}
