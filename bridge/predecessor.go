package bridge

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// endPredecessor ends the batch that was stored last, in case the bridge that led
// before stands still in the middle of it, with the rest in its memory.
func (a *appender) endPredecessor(ctx context.Context) error {
	wait := newBackoff()
	for {
		connected, cancel := whileConnected(ctx, a.js.Conn())
		err := a.tryEndPredecessor(connected)
		cancel()
		if err == nil {
			return nil
		}
		a.log.Debug("cannot end the batch of the bridge before", "err", err)
		pause(ctx, a.js.Conn(), wait.NextBackOff())
		if ctx.Err() != nil {
			return fmt.Errorf("end the batch of the bridge before: %w", ctx.Err())
		}
	}
}

func (a *appender) tryEndPredecessor(ctx context.Context) error {
	name, err := a.lastBatch(ctx)
	if err != nil || name == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return a.fast.end(ctx, stream.TickSubject("="), name)
}

// lastBatch is the name of the fast batch that began last, as far as it can be
// under way still: no batch is longer than maxBatch, though another source's may
// lie between.
func (a *appender) lastBatch(ctx context.Context) (name string, err error) {
	info, err := streamInfo(ctx, a.js, a.stream, a.timeout)
	if err != nil {
		return "", err
	}
	reading := &search{
		js: a.js, stream: a.stream, timeout: a.timeout, created: info.Created,
		next: max(info.State.FirstSeq, info.State.LastSeq-min(info.State.LastSeq, 2*maxBatch), 1),
	}
	reading.header = func(header nats.Header) {
		if begun := header.Get(batchHeader); begun != "" {
			name = begun
		}
	}
	return name, reading.run(ctx)
}
