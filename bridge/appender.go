package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// appender appends batches to one stream, in order and exactly once, through
// lost acknowledgements, reconnects and outages of any length.
//
// One batch is under way at a time, of a kind in which a message that is lost
// ends the batch: nothing behind it is stored, so order holds over reconnects.
// Whenever the outcome of a batch is unknown, the appender reads the stream
// from where its last acknowledged batch ended and looks for the batch's
// message ids there, so it depends on the duplicate window only for a copy that
// the server has not yet looked at.
type appender struct {
	js         jetstream.JetStream
	stream     string
	durability Durability
	timeout    time.Duration
	log        *slog.Logger

	looked    bool   // whether lastSeq is known
	lastSeq   uint64 // all that is later may be ours
	retries   atomic.Int64
	waitSince atomic.Int64 // Unix ms since when a batch waits; 0 when none does
}

func newAppender(js jetstream.JetStream, stream string, durability Durability, timeout time.Duration, log *slog.Logger) *appender {
	return &appender{js: js, stream: stream, durability: durability, timeout: timeout, log: log.With("stream", stream)}
}

// append stores all of msgs, each of which must carry a message id, or tries
// until ctx ends. msgs is used up.
func (a *appender) append(ctx context.Context, msgs []*nats.Msg) error {
	a.waitSince.Store(time.Now().UnixMilli())
	defer a.waitSince.Store(0)
	wait := newBackoff()
	wait.MaxInterval = time.Second // the connection waits longer by itself
	uncertain := !a.looked
	for attempt := 0; ; attempt++ {
		if attempt > 0 {
			a.retries.Add(1)
			select {
			case <-ctx.Done():
				return fmt.Errorf("append %d messages to %s: %w", len(msgs), a.stream, ctx.Err())
			case <-time.After(wait.NextBackOff()):
			}
		}
		err := a.attempt(ctx, &msgs, uncertain)
		if err == nil {
			if attempt > 3 {
				a.log.Info("publishing again", "attempts", attempt+1)
			}
			return nil
		}
		uncertain = true
		a.log.Debug("publish failed, trying again", "attempts", attempt+1, "messages", len(msgs), "err", err)
		if attempt == 3 || attempt > 3 && attempt%20 == 0 {
			a.log.Warn("cannot publish, keeping what was read", "attempts", attempt+1, "err", err)
		}
	}
}

// attempt tries once. With uncertain it first takes off msgs what the stream
// already holds.
func (a *appender) attempt(ctx context.Context, msgs *[]*nats.Msg, uncertain bool) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if uncertain {
		missing, err := a.reconcile(ctx, *msgs)
		if err != nil {
			return err
		}
		*msgs = missing
	}
	for len(*msgs) > 0 {
		if err := a.publishSome(ctx, msgs); err != nil {
			return err
		}
	}
	return nil
}

const (
	// maxAtomicBatch is the server's limit in messages.
	maxAtomicBatch = 1000
	// maxBatch is how many messages go out before one acknowledgement of all is
	// waited for.
	maxBatch = 8192
	// maxBatchBytes keeps a batch of large messages below what the server
	// takes in without being held up.
	maxBatchBytes = 4 << 20
)

// flow lets a fast batch have 4,000 messages on the way.
var flow = jetstreamext.FastPublishFlowControl{Flow: 200, MaxOutstandingAcks: 20}

// publishSome publishes the first of msgs as one batch and takes off what is
// acknowledged.
func (a *appender) publishSome(ctx context.Context, msgs *[]*nats.Msg) error {
	limit := maxBatch
	if a.durability == PowerSafe {
		limit = maxAtomicBatch
	}
	n, bytes := 0, 0
	for n < min(len(*msgs), limit) && (n == 0 || bytes+len((*msgs)[n].Data) <= maxBatchBytes) {
		bytes += len((*msgs)[n].Data)
		n++
	}
	if n == 1 {
		return a.publishEach(ctx, msgs, n)
	}
	publish := a.publishFast
	if a.durability == PowerSafe {
		publish = a.publishAtomic
	}
	ack, err := publish(ctx, (*msgs)[:n])
	if isCode(err, jetstreamext.JSErrCodeBatchPublishDuplicateMsgID) {
		// A copy of some of these got in since we looked: one by one, then.
		return a.publishEach(ctx, msgs, n)
	}
	if err != nil {
		return fmt.Errorf("publish batch: %w", err)
	}
	a.lastSeq = max(a.lastSeq, ack.Sequence) // 0 where all were there already
	*msgs = (*msgs)[n:]
	return nil
}

// publishAtomic stores all or nothing; the server writes through to the disk
// once for all.
func (a *appender) publishAtomic(ctx context.Context, msgs []*nats.Msg) (*jetstreamext.BatchAck, error) {
	return jetstreamext.PublishMsgBatch(ctx, a.js, msgs, jetstreamext.BatchFlowControl{}) //nolint:wrapcheck // by the caller
}

// publishFast stores as they come; the server ends the batch at a gap.
func (a *appender) publishFast(ctx context.Context, msgs []*nats.Msg) (*jetstreamext.BatchAck, error) {
	control := flow
	control.AckTimeout = a.timeout
	batch, err := jetstreamext.NewFastPublisher(a.js, control)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	last := len(msgs) - 1
	for _, msg := range msgs[:last] {
		if _, err := batch.AddMsg(msg); err != nil {
			return nil, fmt.Errorf("add: %w", err)
		}
	}
	ack, err := batch.CommitMsg(ctx, msgs[last])
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	if ack.BatchSize != uint64(len(msgs)) {
		return nil, fmt.Errorf("commit: server counts %d of %d messages", ack.BatchSize, len(msgs))
	}
	return ack, nil
}

// publishEach publishes the first n of msgs in turn, and takes each off once it
// is acknowledged.
func (a *appender) publishEach(ctx context.Context, msgs *[]*nats.Msg, n int) error {
	for range n {
		if err := a.publishOne(ctx, (*msgs)[0]); err != nil {
			return err
		}
		*msgs = (*msgs)[1:]
	}
	return nil
}

func (a *appender) publishOne(ctx context.Context, msg *nats.Msg) error {
	for _, header := range []string{jetstreamext.BatchIDHeader, jetstreamext.BatchSeqHeader, jetstreamext.BatchCommitHeader} {
		msg.Header.Del(header)
	}
	msg.Reply = ""
	ack, err := a.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if !ack.Duplicate {
		a.lastSeq = ack.Sequence
	}
	return nil
}

// reconcile returns those of msgs that are not in the stream. It reads all
// that the stream's leader says was stored after our last acknowledgement.
func (a *appender) reconcile(ctx context.Context, msgs []*nats.Msg) ([]*nats.Msg, error) {
	stream, err := a.js.Stream(ctx, a.stream)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", a.stream, err)
	}
	state := stream.CachedInfo().State
	if !a.looked {
		// Nothing was published yet, so nothing of ours is in it.
		a.looked, a.lastSeq = true, state.LastSeq
		return msgs, nil
	}
	if state.LastSeq < a.lastSeq {
		// The stream was made anew and counts from the beginning.
		a.lastSeq = 0
	}
	stored, err := readIDs(ctx, a.js, a.stream, a.lastSeq+1, state)
	if err != nil {
		return nil, err
	}
	return withoutIDs(msgs, stored), nil
}

// readIDs returns the message ids in a stream from sequence from to the end
// that state gives. Direct reads may come from a replica that is behind, so
// what is missing at the end is read again.
func readIDs(ctx context.Context, js jetstream.JetStream, stream string, from uint64, state jetstream.StreamState) (map[string]bool, error) {
	ids := make(map[string]bool)
	next := max(from, state.FirstSeq)
	for next <= state.LastSeq && state.Msgs > 0 {
		batch, err := jetstreamext.GetBatch(ctx, js, stream, 1000, jetstreamext.GetBatchSeq(next))
		if err != nil {
			return nil, fmt.Errorf("read %s from sequence %d: %w", stream, next, err)
		}
		read := false
		for msg, err := range batch {
			if errors.Is(err, jetstreamext.ErrNoMessages) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read %s from sequence %d: %w", stream, next, err)
			}
			ids[msg.Header.Get(nats.MsgIdHdr)] = true
			next, read = msg.Sequence+1, true
		}
		if !read {
			return nil, fmt.Errorf("read %s from sequence %d to %d: nothing there yet", stream, next, state.LastSeq)
		}
	}
	return ids, nil
}

func withoutIDs(msgs []*nats.Msg, stored map[string]bool) []*nats.Msg {
	missing := msgs[:0:0]
	for _, msg := range msgs {
		if !stored[msg.Header.Get(nats.MsgIdHdr)] {
			missing = append(missing, msg)
		}
	}
	return missing
}

func isCode(err error, code jetstream.ErrorCode) bool {
	var api jetstream.JetStreamError
	return errors.As(err, &api) && api.APIError() != nil && api.APIError().ErrorCode == code
}

// blockedFor is how long the batch under way has been waiting.
func (a *appender) blockedFor(now time.Time) time.Duration {
	if since := a.waitSince.Load(); since != 0 {
		return now.Sub(time.UnixMilli(since))
	}
	return 0
}
