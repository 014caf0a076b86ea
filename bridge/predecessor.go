package bridge

import (
	"context"
	"fmt"

	"github.com/tickstock/tickstream/pipeline/stream"
)

// endPredecessor ends the batch that was stored last, in case the bridge that led
// before stands still in the middle of it, with the rest in its memory.
func (a *appender) endPredecessor(ctx context.Context) error {
	return a.endAnother(ctx, a.lastBatch)
}

// endAnother ends the batch of another bridge that find finds, trying until ctx
// ends.
func (a *appender) endAnother(ctx context.Context, find func(context.Context) (name string, err error)) error {
	wait := newBackoff()
	for {
		connected, cancel := whileConnected(ctx, a.js.Conn())
		name, err := find(connected)
		if err == nil && name != "" {
			err = a.end(connected, stream.TickSubject("="), name)
		}
		cancel()
		if err == nil {
			return nil
		}
		a.log.Debug("cannot end the batch of another bridge", "err", err)
		pause(ctx, a.js.Conn(), wait.NextBackOff())
		if ctx.Err() != nil {
			return fmt.Errorf("end the batch of another bridge: %w", ctx.Err())
		}
	}
}

// end ends a batch, whoever began it.
func (a *appender) end(ctx context.Context, subject, name string) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if err := a.fast.end(ctx, subject, name); err != nil {
		return err
	}
	a.ended = name
	return nil
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
	err = reading.run(ctx)
	return reading.batch, err
}
