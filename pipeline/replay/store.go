package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	maxCopied      = 1000    // messages of an atomic batch: the server's limit
	maxCopiedBytes = 4 << 20 // what a server takes in without being held up
)

// What the server says where the last message is not the one that the publisher
// takes for it, and where a message with the same id is on its way.
const (
	wrongLastSequence          jetstream.ErrorCode = 10071
	wrongLastSequenceClustered jetstream.ErrorCode = 10164
	duplicateUnderWay          jetstream.ErrorCode = 10158
)

// store stores the first of what is pending as one batch, and tries until it is
// there or the target says what trying cannot mend.
func (c *Copier) store(ctx context.Context) error {
	wait := retryFirst
	for {
		n, bytes := 0, 0
		for n < min(len(c.pending), maxCopied) && (n == 0 || bytes+len(c.pending[n].data) <= maxCopiedBytes) {
			bytes += len(c.pending[n].data)
			n++
		}
		seq, err := c.publish(ctx, c.pending[:n])
		if err == nil {
			c.last = seq
			c.take(n)
			return nil
		}
		place := c.pending[0].place
		if lasting(err) {
			return fmt.Errorf("store %v and what follows: %w", place, err)
		}
		c.log.Warn("a batch is not acknowledged, looking what is stored", "stream", stream.Ticks, "seq", place.sequence, "err", err)
		if pause(ctx, wait/2+rand.N(wait/2)) != nil {
			return fmt.Errorf("store %v and what follows: %w", place, errors.Join(context.Cause(ctx), err))
		}
		wait = min(2*wait, retryLongest)
		stored, found, lookErr := c.stored(ctx)
		if lookErr != nil {
			if lasting(lookErr) {
				return lookErr
			}
			continue // with the same batch: the server refuses it if it is there
		}
		if found {
			c.take(stored)
			return nil
		}
		if isDuplicate(err) {
			return fmt.Errorf("store %v and what follows: %w", place, ErrRemembered)
		}
	}
}

// take takes the first n off what is pending.
func (c *Copier) take(n int) {
	for _, m := range c.pending[:n] {
		c.bytes -= len(m.data)
	}
	c.pending = slices.Delete(c.pending, 0, n)
}

// publish stores all of batch or nothing, and only behind what this copy knows
// to be the last message of the target.
func (c *Copier) publish(ctx context.Context, batch []copied) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AckTimeout)
	defer cancel()
	msgs := make([]*nats.Msg, len(batch)) // anew at each try: publishing changes them
	for i := range batch {
		msgs[i] = batch[i].message(c.id)
	}
	msgs[0].Header.Set(nats.ExpectedLastSeqHdr, strconv.FormatUint(c.last, 10))
	msgs[0].Header.Set(nats.ExpectedStreamHdr, stream.Ticks)
	if len(msgs) == 1 {
		ack, err := c.target.PublishMsg(ctx, msgs[0], jetstream.WithRetryAttempts(0))
		if err != nil {
			return 0, err //nolint:wrapcheck // by the caller
		}
		if ack.Duplicate {
			return 0, errDuplicate
		}
		return ack.Sequence, nil
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, c.target, msgs, jetstreamext.BatchFlowControl{})
	if err != nil {
		return 0, err //nolint:wrapcheck // by the caller
	}
	return ack.Sequence, nil
}

// stored finds out how many of what is pending are in the target, after a batch
// that was not acknowledged; found is false where it is none. The error is
// [ErrOtherWriter] for a last message that is not of this copy.
func (c *Copier) stored(ctx context.Context) (n int, found bool, err error) {
	last, at, ours, err := c.lastCopied(ctx)
	if err != nil || last == c.last {
		return 0, false, err
	}
	i := slices.IndexFunc(c.pending, func(m copied) bool { return m.place == at })
	if !ours || i < 0 || last != c.last+uint64(i)+1 {
		return 0, false, fmt.Errorf("%w: sequence %d came after %d", ErrOtherWriter, last, c.last)
	}
	c.last = last
	return i + 1, true, nil
}

// locate reads how far a copy of this source has come in the target.
func (c *Copier) locate(ctx context.Context) error {
	last, at, ours, err := c.lastCopied(ctx)
	if err != nil {
		return err
	}
	c.last = last
	if ours {
		c.done = at
	}
	return nil
}

// lastCopied reads the target's last message; ours is false where it is not of
// a copy of this source, or where there is none.
func (c *Copier) lastCopied(ctx context.Context) (last uint64, at place, ours bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AckTimeout)
	defer cancel()
	to, err := c.target.Stream(ctx, stream.Ticks)
	if err != nil {
		return 0, place{}, false, fmt.Errorf("look up stream %s of the target: %w", stream.Ticks, err)
	}
	state := to.CachedInfo().State
	if state.Msgs == 0 {
		return state.LastSeq, place{}, false, nil
	}
	msg, err := stream.AtLeader(ctx, c.target, stream.Ticks, stream.Place{Seq: state.LastSeq})
	if errors.Is(err, jetstream.ErrMsgNotFound) { // deleted by hand
		return state.LastSeq, place{}, false, nil
	}
	if err != nil {
		return 0, place{}, false, fmt.Errorf("read the target's last message: %w", err)
	}
	at, ours = parsePlace(c.id, msg.Header.Get(nats.MsgIdHdr))
	return state.LastSeq, at, ours, nil
}

var errDuplicate = errors.New("the server has seen the message before")

func isDuplicate(err error) bool {
	return errors.Is(err, errDuplicate) || codeOf(err) == jetstreamext.JSErrCodeBatchPublishDuplicateMsgID
}

// lasting is what trying again would not mend: what the server says of the
// request itself, or the client.
func lasting(err error) bool {
	for _, end := range []error{ErrOtherWriter, nats.ErrMaxPayload, nats.ErrConnectionClosed, nats.ErrPermissionViolation, jetstream.ErrStreamNotFound} {
		if errors.Is(err, end) {
			return true
		}
	}
	var api jetstream.JetStreamError
	if !errors.As(err, &api) || api.APIError() == nil {
		return false
	}
	switch codeOf(err) {
	case wrongLastSequence, wrongLastSequenceClustered, duplicateUnderWay, jetstreamext.JSErrCodeBatchPublishDuplicateMsgID, // told apart by what is stored
		jetstreamext.JSErrCodeBatchPublishIncomplete, jetstreamext.JSErrCodeAtomicPublishTooManyInflight,
		jetstreamext.JSErrCodeBatchPublishTooManyInflight: // a message was lost, or others are at it
		return false
	}
	return api.APIError().Code < http.StatusInternalServerError
}

func codeOf(err error) jetstream.ErrorCode {
	var api jetstream.JetStreamError
	if errors.As(err, &api) && api.APIError() != nil {
		return api.APIError().ErrorCode
	}
	return 0
}
