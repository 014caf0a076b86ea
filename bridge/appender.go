package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"go.opentelemetry.io/otel/trace"
)

// errDuplicate comes where a message of a batch is one that the server remembers.
var errDuplicate = errors.New("the server has seen a message of the batch before")

// appender appends batches to one stream, in order and exactly once, through
// lost acknowledgements, reconnects and outages of any length.
//
// One batch is under way at a time, of a kind in which a message that is lost
// ends the batch: nothing behind it is stored, so order holds over reconnects.
// Whenever the outcome of a batch is unknown, the appender ends the batch at the
// server and then looks in the stream for its message ids, behind the last that
// was acknowledged.
//
// A fenced appender also says with each batch which message it takes for the
// last of the stream, so that what is still on its way over a lost connection, or
// in the memory of a process that stood still, is refused when it comes: the
// stream has gone on. It looks again whenever it is refused itself.
type appender struct {
	js         jetstream.JetStream
	stream     string
	durability Durability
	timeout    time.Duration // of one batch, and of one request of a search
	// admit waits until what was read in a term may be stored, or returns
	// errYielded.
	admit func(ctx context.Context, term int64) error
	// restore makes the stream where it is gone.
	restore func(context.Context) error
	// rename, where set, makes of a message id that another bridge gave our own.
	rename func(id string) string
	// heard, where set, tells whether an id is that of a message which this bridge
	// heard as well, whoever gave it.
	heard  func(id string) bool
	log    *slog.Logger
	fast   *fastPublisher
	fenced bool

	telemetry *telemetry.Telemetry
	open      string                    // a fast batch that is begun and of which is not known whether it has ended
	ended     string                    // the batch that was ended last
	copies    int                       // of the stream
	last      place                     // of what was acknowledged or found last; all of a batch is behind it
	overtaken bool                      // what this bridge heard and did not publish yet may be before last
	retries   atomic.Int64              // batches that had to be tried again
	waitSince atomic.Pointer[time.Time] // when a batch began to wait; nil when none does
}

func newAppender(js jetstream.JetStream, stream string, cfg Config, admit func(context.Context, int64) error, restore func(context.Context) error, fenced bool, log *slog.Logger) *appender {
	return &appender{
		js: js, stream: stream, durability: cfg.Durability, timeout: cfg.PublishTimeout,
		admit: admit, restore: restore, log: log.With("stream", stream),
		fast: newFastPublisher(js.Conn(), fenced), fenced: fenced, telemetry: cfg.Telemetry,
	}
}

// close ends what append began to listen to.
func (a *appender) close() { a.fast.close() }

// delivery is a batch on its way.
type delivery struct {
	msgs  []*nats.Msg // not stored yet, as far as is known
	since time.Time   // nothing of them was stored before
	// unsure: some may be stored without our knowing.
	unsure bool
	others bool    // another bridge may have stored some
	search *search // for these; nil until it is needed
}

// append stores all of msgs, which were read in a term and each of which must
// carry a message id, or tries until ctx ends or the term has ended without
// them (errYielded). since is when the oldest was read: this process may have stood
// still with it for long, while another stored it. Where some may be stored already
// (unsure), it looks before it publishes. msgs is used up.
func (a *appender) append(ctx context.Context, term int64, msgs []*nats.Msg, since time.Time, unsure bool) error {
	began := time.Now()
	a.waitSince.Store(&began)
	defer a.waitSince.Store(nil)
	ctx, span := a.beginSpan(ctx, len(msgs))
	err := a.appendSince(ctx, term, msgs, since, unsure)
	telemetry.End(span, err)
	if err == nil {
		a.telemetry.Appended(a.stream, time.Since(began))
	}
	return err
}

func (a *appender) appendSince(ctx context.Context, term int64, msgs []*nats.Msg, since time.Time, unsure bool) error {
	d := &delivery{msgs: msgs, since: since, unsure: unsure, others: unsure}
	wait := newBackoff()
	for attempt := 1; ; attempt++ {
		if err := a.admit(ctx, term); err != nil {
			return fmt.Errorf("append %d messages to %s: %w", len(d.msgs), a.stream, err)
		}
		err := a.attempt(ctx, term, d)
		if errors.Is(err, errYielded) {
			return fmt.Errorf("append %d messages to %s: %w", len(d.msgs), a.stream, err)
		}
		if err == nil {
			if attempt > 4 {
				a.log.Info("publishing again", "attempts", attempt)
			}
			return nil
		}
		a.log.Debug("publish failed, trying again", "attempts", attempt, "messages", len(d.msgs), "err", err)
		if attempt == 4 || attempt%64 == 0 {
			a.log.Warn("cannot publish, keeping what was read", "attempts", attempt, "err", err)
		}
		if gone(err) {
			if err := a.restore(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("cannot make the stream again, keeping what was read", "err", err)
			}
		}
		a.retries.Add(1)
		trace.SpanFromContext(ctx).RecordError(err)
		pause(ctx, a.js.Conn(), wait.NextBackOff())
		if ctx.Err() != nil {
			return fmt.Errorf("append %d messages to %s: %w", len(d.msgs), a.stream, ctx.Err())
		}
	}
}

// gone tells whether err is what a stream gives that is not there.
func gone(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

// attempt tries once. What is unsure it first looks for in the stream.
func (a *appender) attempt(ctx context.Context, term int64, d *delivery) error {
	ctx, cancel := whileConnected(ctx, a.js.Conn())
	defer cancel()
	if a.last.created.IsZero() && !d.unsure {
		// Nothing was published yet, so nothing of ours is in it.
		info, err := streamInfo(ctx, a.js, a.stream, a.timeout)
		if err != nil {
			return err
		}
		a.last, a.copies = place{created: info.Created, seq: info.State.LastSeq}, info.Config.Replicas
	}
	for refusals := 0; d.unsure || len(d.msgs) > 0; {
		if d.unsure {
			if err := a.lookUp(ctx, d); err != nil {
				return err
			}
			continue
		}
		// This process may have been stopped for long since it was asked last.
		err := a.admit(ctx, term)
		if err == nil {
			err = a.publishSome(ctx, d)
		}
		d.unsure = err != nil
		if isRefused(err) && refusals < maxRefusals {
			refusals++ // somebody else has written: what there is tells whether of ours
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxRefusals is how often an attempt looks again because others write as well.
const maxRefusals = 16

// lookUp takes off what is stored of a delivery, once nothing more can come of
// the batch that was begun last.
func (a *appender) lookUp(ctx context.Context, d *delivery) error {
	if a.open != "" {
		if err := a.end(ctx, d.msgs[0].Subject, a.open); err != nil {
			return err
		}
		a.open = ""
	}
	if d.search == nil {
		behind := a.last
		if d.others && !a.fenced {
			behind = place{} // what others stored may be before the end of the last look
		}
		d.search = newSearch(a.js, a.stream, a.timeout, d.since, behind, messageIDs(d.msgs))
		d.search.rename, d.search.visit = a.rename, a.notice(d.search)
	}
	if err := d.search.run(ctx); err != nil {
		return err
	}
	for d.search.under != "" && d.search.under != a.ended {
		// Not the one that was begun here last: an earlier one that came late, or
		// that of a bridge which stood still before it began. It may be in the
		// middle of it, with what is missing here to come.
		if err := a.end(ctx, d.msgs[0].Subject, d.search.under); err != nil {
			return err
		}
		if err := d.search.run(ctx); err != nil {
			return err
		}
	}
	a.last, a.copies = d.search.end(), d.search.copies
	d.msgs, d.unsure = d.search.withoutFound(d.msgs), false
	return nil
}

// notice takes note where a search for a batch comes upon what this bridge heard,
// and which is not of the batch: another has stored it, and maybe what is next.
func (a *appender) notice(s *search) func(id string) {
	return func(id string) {
		if a.overtaken || a.heard == nil || !a.heard(id) {
			return
		}
		if _, wanted := s.found[a.rename(id)]; !wanted {
			a.overtaken = true
		}
	}
}

// isRefused tells that the stream had another last message than was expected.
func isRefused(err error) bool {
	return isCode(err, jetstream.JSErrCodeStreamWrongLastSequence) || isCode(err, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func messageIDs(msgs []*nats.Msg) []string {
	ids := make([]string, len(msgs))
	for i, msg := range msgs {
		ids[i] = idOf(msg.Header)
	}
	return ids
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

// publishSome publishes the first of what is on its way as one batch and takes
// off what is acknowledged.
func (a *appender) publishSome(ctx context.Context, d *delivery) error {
	limit := maxBatch
	if a.durability == PowerSafe {
		limit = maxAtomicBatch
	}
	n, bytes := 0, 0
	for n < min(len(d.msgs), limit) && (n == 0 || bytes+len(d.msgs[n].Data) <= maxBatchBytes) {
		bytes += len(d.msgs[n].Data)
		n++
	}
	if n == 1 {
		return a.publishEach(ctx, d, n)
	}
	publish := a.fast.publish
	if a.durability == PowerSafe {
		publish = a.publishAtomic
	}
	batchCtx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	fenced := d.msgs[:n]
	if a.durability == PowerSafe || a.copies <= 1 {
		fenced = fenced[:1]
	}
	a.fence(fenced)
	defer unfence(fenced)
	seq, err := publish(batchCtx, d.msgs[:n])
	if errors.Is(err, errDuplicate) || isCode(err, jetstreamext.JSErrCodeBatchPublishDuplicateMsgID) {
		// A copy of some of these got in since we looked: one by one, then.
		return a.publishEach(ctx, d, n)
	}
	if err != nil {
		a.open = a.fast.latest
		return fmt.Errorf("publish batch: %w", err)
	}
	if seq != 0 { // as where all were there already
		a.last.seq, a.last.id = seq, idOf(d.msgs[n-1].Header)
	}
	d.msgs = d.msgs[n:]
	return nil
}

// publishAtomic stores all or nothing; the server writes through to the disk
// once for all.
func (a *appender) publishAtomic(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	ack, err := jetstreamext.PublishMsgBatch(ctx, a.js, msgs, jetstreamext.BatchFlowControl{})
	if err != nil {
		return 0, err //nolint:wrapcheck // by the caller
	}
	return ack.Sequence, nil
}

// publishEach publishes the first n of what is on its way in turn, and takes
// each off once it is acknowledged.
func (a *appender) publishEach(ctx context.Context, d *delivery, n int) error {
	for range n {
		if err := a.publishOne(ctx, d.msgs[0]); err != nil {
			return err
		}
		d.msgs = d.msgs[1:]
	}
	return nil
}

func (a *appender) publishOne(ctx context.Context, msg *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	for _, header := range []string{jetstreamext.BatchIDHeader, jetstreamext.BatchSeqHeader, jetstreamext.BatchCommitHeader} {
		msg.Header.Del(header)
	}
	msg.Reply = ""
	a.fence([]*nats.Msg{msg})
	defer unfence([]*nats.Msg{msg})
	ack, err := a.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if !ack.Duplicate {
		a.last.seq, a.last.id = ack.Sequence, idOf(msg.Header)
	}
	return nil
}

// fence has the server refuse the first messages of a batch where another message
// than the last that we know, or the one before in the batch, is the last of the
// stream.
//
// The first is enough on one node, where a batch that was ended is ended. Of a
// stream with copies only the leader knows that: at the next, for ten seconds, the
// batch goes on behind the last of it that was stored.
func (a *appender) fence(msgs []*nats.Msg) {
	if !a.fenced {
		return
	}
	for i, msg := range msgs {
		msg.Header.Set(jetstream.ExpectedLastSeqHeader, strconv.FormatUint(a.last.seq+uint64(i), 10))
	}
}

func unfence(msgs []*nats.Msg) {
	for _, msg := range msgs {
		msg.Header.Del(jetstream.ExpectedLastSeqHeader)
	}
}

func isCode(err error, code jetstream.ErrorCode) bool {
	var api jetstream.JetStreamError
	return errors.As(err, &api) && api.APIError() != nil && api.APIError().ErrorCode == code
}

// blockedFor is how long the batch under way has been waiting.
func (a *appender) blockedFor(now time.Time) time.Duration {
	if since := a.waitSince.Load(); since != nil {
		return now.Sub(*since)
	}
	return 0
}
