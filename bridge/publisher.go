package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// publisher takes what waits in the queue, whether one message or a whole
// batch, stores it in TICKS and settles it with the source. No timer holds a
// tick back: a batch is what came while the one before was under way.
type publisher struct {
	cfg      Config
	queue    *queue
	decoder  *tick.Decoder
	appender *appender
	rejecter *rejecter
	settle   func(context.Context, []message)
	// admit waits until what was read in a term may be stored, or returns
	// errYielded.
	admit      func(ctx context.Context, term int64) error
	partitions atomic.Int64
	prefix     string // of message ids

	next   uint64
	stored atomic.Int64
	taken  batch
}

// batch is what the publisher works on; its memory is used again.
type batch struct {
	term int64
	all  []message
	msgs []*nats.Msg // to be stored: ticks and marks
	kept []message   // the ticks among all
	tick tick.Tick
}

// run stores until the queue is closed and empty, or ctx ends. What another
// bridge took over it gives up.
func (p *publisher) run(ctx context.Context) error {
	b := &p.taken
	for {
		var err error
		b.all, err = p.queue.take(ctx, b.all[:0], maxBatch)
		if errors.Is(err, errQueueClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("take ticks to publish: %w", err)
		}
		b.term = p.queue.handTerm()
		err = p.handle(ctx, b)
		if err != nil && !errors.Is(err, errYielded) {
			return err
		}
		p.queue.release(err != nil)
		clear(b.all)
		clear(b.kept)
		clear(b.msgs)
	}
}

// handle stores the ticks and marks of a batch and rejects the rest.
func (p *publisher) handle(ctx context.Context, b *batch) error {
	if err := p.admit(ctx, b.term); err != nil {
		return err
	}
	var err error
	if b.all, err = p.withoutKept(ctx, b.all); err != nil {
		return err
	}
	b.msgs, b.kept = b.msgs[:0], b.kept[:0]
	for i := range b.all {
		m := &b.all[i]
		if m.isMark() {
			b.msgs = p.appendMarks(b.msgs, m.watermark)
			continue
		}
		msg, err := p.encode(ctx, b.term, m, &b.tick)
		if err != nil {
			return fmt.Errorf("handle a tick: %w", err)
		}
		if msg != nil {
			b.msgs, b.kept = append(b.msgs, msg), append(b.kept, *m)
		}
	}
	if len(b.msgs) == 0 {
		return nil
	}
	if err := p.appender.append(ctx, b.term, b.msgs); err != nil {
		return fmt.Errorf("store ticks: %w", err)
	}
	p.stored.Add(int64(len(b.kept)))
	p.settle(ctx, b.kept)
	return nil
}

// encode makes the message of a tick; nil for what is none, which it rejects.
func (p *publisher) encode(ctx context.Context, term int64, m *message, t *tick.Tick) (*nats.Msg, error) {
	if m.refused != "" {
		return nil, p.rejecter.reject(ctx, term, *m, reasonFieldMissing, m.refused)
	}
	payload := []byte(m.payload)
	err := p.decoder.Decode(payload, m.receivedAt, t)
	if refusal, ok := errors.AsType[*tick.Refusal](err); ok {
		return nil, p.rejecter.reject(ctx, term, *m, string(refusal.Reason), refusal.Detail)
	}
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	msg := nats.NewMsg(stream.TickSubject(t.Symbol))
	msg.Data = payload
	p.next++
	msg.Header.Set(nats.MsgIdHdr, messageID(p.prefix, *m, p.next))
	return msg, nil
}

func (p *publisher) appendMarks(msgs []*nats.Msg, watermark time.Time) []*nats.Msg {
	// A struct of a string and a time always encodes.
	data, _ := json.Marshal(event.NewClockMark(watermark))
	for partition := range int(p.partitions.Load()) {
		msg := nats.NewMsg(stream.ClockSubject(partition))
		msg.Data = data
		p.next++
		msg.Header.Set(nats.MsgIdHdr, p.prefix+strconv.FormatUint(p.next, 36))
		msgs = append(msgs, msg)
	}
	return msgs
}
