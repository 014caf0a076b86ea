package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"go.opentelemetry.io/otel/trace"
)

const (
	// maxResults is the server's limit of messages in an atomic batch, less the
	// progress that ends it.
	maxResults = 999
	// maxBatchBytes keeps a batch below what the server buffers of a client.
	maxBatchBytes = 4 << 20
	// queuedBatches bounds what a slow server makes a partition hold.
	queuedBatches  = 64
	publishTimeout = 5 * time.Second

	codeWrongSequence         jetstream.ErrorCode = 10071
	codeWrongSequenceConstant jetstream.ErrorCode = 10164
)

// position is a place in the results of a partition: the message of TICKS that
// they come from, and how many of its results.
type position struct {
	sequence uint64
	storedAt int64 // of that message, Unix nanoseconds
	results  int
}

func (p position) after(other position) bool {
	return p.sequence > other.sequence || p.sequence == other.sequence && p.results > other.results
}

// result is one message to be published.
type result struct {
	subject string
	id      string      // of a reject; results are told apart by their position
	header  nats.Header // besides the id; mostly nil
	data    []byte
	at      position
}

// outbox publishes the results of one partition to one stream exactly once and
// in order, whoever else believes to own the partition.
//
// Each batch is atomic and ends with an [event.Progress], published on the
// condition that the progress before it is still the last one. So the stream
// itself says how far its results go: a batch whose outcome is unknown is
// looked up there, and a worker that takes over leaves out what is there. It
// begins with a progress of its own, which changes nothing but that whoever
// owned the partition before is refused from then on, batches on their way
// included.
type outbox struct {
	js        jetstream.JetStream
	press     *press
	stream    string
	subject   string // of the progress
	partition int
	worker    string
	log       *slog.Logger

	created  int64    // of TICKS, Unix nanoseconds
	last     uint64   // the stream's sequence of the last progress
	stored   position // what it says
	skip     position // what the stream held when the partition was taken over
	writer   string   // who wrote the last progress
	queue    chan handover
	stopped  chan struct{}     // closed when run has returned
	pending  []result          // not yet queued
	cause    trace.SpanContext // of what is pending
	produced position          // of the last result, in pending, queued or published
	unstored atomic.Int64      // queued and not yet published
	drained  chan struct{}     // signals that unstored came to 0
	settled  func()            // called when nothing is left to publish

	failures, published *atomic.Int64 // batches that had to be tried again; results stored

	telemetry *telemetry.Telemetry
}

func newOutbox(js jetstream.JetStream, press *press, name string, partition int, worker string, log *slog.Logger, failures, published *atomic.Int64, settled func()) *outbox {
	return &outbox{
		js: js, press: press, stream: name, subject: stream.ProgressSubject(name, partition), partition: partition, worker: worker,
		log:   log.With("stream", name),
		queue: make(chan handover, queuedBatches), stopped: make(chan struct{}), drained: make(chan struct{}, 1),
		failures: failures, published: published, settled: settled,
	}
}

// look reads how far the stream's results go. It asks the leader: by a replica
// that is behind, what was stored a moment ago would be missing.
func (o *outbox) look(ctx context.Context) error {
	msg, err := stream.AtLeader(ctx, o.js, o.stream, stream.Place{Last: o.subject})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		o.last, o.stored, o.writer = 0, position{}, ""
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the progress in %s: %w", o.stream, err)
	}
	var progress event.Progress
	if err := json.Unmarshal(msg.Data, &progress); err != nil {
		return fmt.Errorf("read the progress in %s at %d: %w", o.stream, msg.Sequence, err)
	}
	o.last, o.stored, o.writer = msg.Sequence, position{}, progress.Worker
	if progress.Created == o.created { // otherwise it counts another stream's messages
		o.stored = position{progress.Sequence, progress.StoredAt, progress.Results}
	}
	return nil
}

// claim makes this outbox the one that the stream takes results from, and
// learns how far they go.
func (o *outbox) claim(ctx context.Context) error {
	for {
		if err := o.look(ctx); err != nil {
			return err
		}
		ack, err := o.js.PublishMsg(ctx, o.progress(o.stored), jetstream.WithRetryAttempts(0))
		if err == nil {
			o.last, o.writer, o.skip = ack.Sequence, o.worker, o.stored
			return nil
		}
		if !conflicts(err) || ctx.Err() != nil {
			return fmt.Errorf("claim the progress in %s: %w", o.stream, err)
		}
	}
}

// progress is the message that says how far results go, on the condition that
// none was written since the last that we know.
func (o *outbox) progress(at position) *nats.Msg {
	data, _ := json.Marshal(event.NewProgress(o.partition, o.created, at.sequence, at.storedAt, at.results, o.worker)) // it always marshals
	return &nats.Msg{Subject: o.subject, Data: data, Header: nats.Header{
		nats.ExpectedLastSubjSeqHdr: []string{strconv.FormatUint(o.last, 10)},
	}}
}

// conflicts tells that another message was there than was expected.
func conflicts(err error) bool {
	return isCode(err, codeWrongSequence) || isCode(err, codeWrongSequenceConstant)
}

// add takes one result of the message at sequence. One that the stream holds
// already is left out; then add is false.
func (o *outbox) add(sequence uint64, storedAt time.Time, r result) bool {
	if o.produced.sequence != sequence {
		o.produced = position{sequence: sequence, storedAt: storedAt.UnixNano()}
	}
	o.produced.results++
	if !o.produced.after(o.skip) {
		return false
	}
	r.at = o.produced
	o.pending = append(o.pending, r)
	return true
}

// hand gives the publisher what is pending, and waits while it is far behind.
func (o *outbox) hand(ctx context.Context) error {
	if len(o.pending) == 0 {
		return nil
	}
	o.unstored.Add(1)
	select {
	case o.queue <- handover{o.pending, o.cause}:
		o.pending = make([]result, 0, min(cap(o.pending), 1024))
		return nil
	case <-o.stopped:
		return fmt.Errorf("publish to %s: %w", o.stream, errStopped)
	case <-ctx.Done():
		return fmt.Errorf("publish to %s: %w", o.stream, ctx.Err())
	}
}

var errStopped = errors.New("the publisher has ended")

// drain waits until all that was handed over is stored.
func (o *outbox) drain(ctx context.Context) error {
	for o.unstored.Load() > 0 {
		select {
		case <-o.drained:
		case <-o.stopped:
			return fmt.Errorf("publish to %s: %w", o.stream, errStopped)
		case <-ctx.Done():
			return fmt.Errorf("publish to %s: %w", o.stream, ctx.Err())
		}
	}
	return nil
}

// run publishes until ctx ends.
func (o *outbox) run(ctx context.Context) {
	defer close(o.stopped)
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-o.queue:
			results, handed, causes := o.gather(first)
			for len(results) > 0 {
				n := fits(results)
				if !o.publishTimed(ctx, results[:n], causes) {
					return
				}
				results = results[n:]
			}
			if o.unstored.Add(-handed) == 0 {
				o.settled()
				select {
				case o.drained <- struct{}{}:
				default:
				}
			}
		}
	}
}

// gather adds what else is queued, until it makes a batch, and tells how often
// was handed over what it returns, and what it comes from.
func (o *outbox) gather(first handover) (results []result, handed int64, causes []trace.SpanContext) {
	results, causes = first.results, first.appendCause(nil)
	for handed = 1; len(results) < maxResults; handed++ {
		select {
		case more := <-o.queue:
			results, causes = append(results, more.results...), more.appendCause(causes)
		default:
			return results, handed, causes
		}
	}
	return results, handed, causes
}

// fits is how many of results make one batch.
func fits(results []result) int {
	n, bytes := 0, 0
	for n < min(len(results), maxResults) && (n == 0 || bytes+len(results[n].data) <= maxBatchBytes) {
		bytes += len(results[n].data)
		n++
	}
	return n
}

// publish stores results, or tries until ctx ends; then it is false.
func (o *outbox) publish(ctx context.Context, results []result) bool {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 20*time.Millisecond, time.Second
	withIDs := true
	for attempt := 0; ; attempt++ {
		err := o.attempt(ctx, results, withIDs)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if isCode(err, jetstreamext.JSErrCodeBatchPublishDuplicateMsgID) {
			// The stream was emptied, or made anew: it remembers ids of messages
			// that it no longer has.
			withIDs = false
		}
		o.failures.Add(1)
		o.log.Debug("publish failed, looking how far it came", "attempts", attempt+1, "err", err)
		if attempt == 5 || attempt > 5 && attempt%30 == 0 {
			o.log.Warn("cannot publish results, trying again", "attempts", attempt+1, "err", err)
		}
		if !conflicts(err) {
			select {
			case <-ctx.Done():
			case <-time.After(wait.NextBackOff()):
			}
		}
		if results, err = o.missing(ctx, results); errors.Is(err, errTakenOver) {
			o.log.Info("another worker publishes the partition now", "partition", o.partition, "worker", o.writer)
			return false
		} else if err != nil {
			o.log.Debug("cannot look how far results came", "err", err)
		} else if len(results) == 0 {
			return true
		}
	}
}

// revise stores results that change nothing about how far the stream's results
// go, in batches, while run has nothing to do.
func (o *outbox) revise(ctx context.Context, results []result) error {
	for len(results) > 0 {
		n := fits(results)
		batch := results[:n]
		for i := range batch {
			batch[i].at = o.stored
		}
		for failed := 0; ; failed++ {
			before := o.last
			err := o.attempt(ctx, batch, false)
			if err == nil {
				break
			}
			if failed == 10 || ctx.Err() != nil {
				return err
			}
			if o.look(ctx) == nil {
				if o.writer != o.worker {
					return errTakenOver
				}
				if o.last > before {
					break // the answer was lost
				}
			}
			pause(ctx, 100*time.Millisecond)
		}
		results = results[n:]
	}
	return nil
}

// missing are those of results that the stream does not hold.
func (o *outbox) missing(ctx context.Context, results []result) ([]result, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := o.look(ctx); err != nil {
		return results, err
	}
	if o.writer != o.worker {
		return results, errTakenOver
	}
	for len(results) > 0 && !results[0].at.after(o.stored) {
		results = results[1:]
	}
	return results, nil
}

func (o *outbox) attempt(ctx context.Context, results []result, withIDs bool) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	msgs := make([]*nats.Msg, 0, len(results)+1)
	for _, r := range results {
		msg := &nats.Msg{Subject: r.subject, Data: r.data, Header: nats.Header{}}
		maps.Copy(msg.Header, r.header)
		if withIDs && r.id != "" {
			msg.Header.Set(nats.MsgIdHdr, r.id)
		}
		msgs = append(msgs, msg)
	}
	end := results[len(results)-1].at
	msgs = append(msgs, o.progress(end))
	sequence, err := o.press.publish(ctx, msgs)
	if err != nil {
		return fmt.Errorf("publish %d results: %w", len(results), err)
	}
	o.last, o.stored = sequence, end
	o.published.Add(int64(len(results)))
	return nil
}

func isCode(err error, code jetstream.ErrorCode) bool {
	var api jetstream.JetStreamError
	return errors.As(err, &api) && api.APIError() != nil && api.APIError().ErrorCode == code
}
