package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/telemetry"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// publisher takes what waits in the backlog, whether one message or a whole
// batch, stores it in TICKS and settles it with the source. No timer holds a
// tick back: a batch is what came while the one before was under way.
type publisher struct {
	cfg      Config
	backlog  *backlog
	names    *alignment
	decoder  *tick.Decoder
	symbols  *symbols
	appender *appender
	rejecter *rejecter
	turn     *turn
	settle   func(context.Context, []message)
	// admit waits until what was read in a term may be stored, or returns
	// errYielded.
	admit func(ctx context.Context, term int64) error
	// covered tells whether another bridge, which can lead, heard more of what
	// this one missed before it subscribed with a beat.
	covered func(ctx context.Context, beat func() uint32) bool
	// report hands a gap over to be published.
	report   func(missed)
	lastMark func(context.Context) (time.Time, error)
	// listened has it reported how long no bridge listened before this one.
	listened   func(context.Context)
	log        *slog.Logger
	partitions atomic.Int64
	prefix     string // of message ids

	next   uint64
	stored atomic.Int64
	taken  batch
	// unreconciled tells that up to a position there may be messages in the
	// backlog that only this bridge heard, while another leads.
	unreconciled   bool
	unreconciledTo position
	// succeeded tells that it is known who listened before this bridge: another,
	// up to a message that this one heard, or this one.
	succeeded bool
	// yieldedAt is the gap for which this bridge stepped down already.
	yieldedAt time.Time
	// deferred says that this bridge stepped down when it led first.
	deferred bool
}

// batch is what the publisher works on; its memory is used again.
type batch struct {
	term int64
	all  []message
	msgs []*nats.Msg // to be stored: ticks and marks
	kept []message   // the ticks among all
	out  outgoing    // makes msgs
	tick tick.Tick
	// shared, of a channel: what was heard up to a position, where this bridge
	// began to lead, may be stored already, by another.
	shared bool
	upTo   position
	known  *survey // nil where it is known that nothing is
	behind place   // in TICKS: all that is not settled and may be stored is behind it
}

// unsure tells whether a message may be stored already. What came before the
// first beat of a subscription has its place since later.
func (b *batch) unsure(m *message) bool {
	return b.shared && (!m.at.after(b.upTo) || m.at.n < 0)
}

// placedSince tells whether it holds messages that were heard before the first beat
// of a subscription, which came after what is stored was looked up: that did not
// know them.
func (b *batch) placedSince() bool {
	for i := range b.all {
		if at := b.all[i].at; at.n < 0 && at.after(b.upTo) {
			return true
		}
	}
	return false
}

// run stores until the backlog is closed and empty, or ctx ends.
func (p *publisher) run(ctx context.Context) error {
	if p.cfg.Source == Stream {
		return p.runStream(ctx)
	}
	return p.runChannel(ctx)
}

// runStream stores what a Redis stream gave. What another bridge took over it
// gives up: Redis has it still.
func (p *publisher) runStream(ctx context.Context) error {
	b := &p.taken
	for {
		done, err := p.fetch(ctx, b)
		if done || err != nil {
			return err
		}
		b.term = p.backlog.handTerm()
		if err := p.admit(ctx, b.term); err == nil {
			b.all, err = p.withoutKept(ctx, b.all)
			if err == nil {
				err = p.handle(ctx, b)
			}
			if err != nil && !errors.Is(err, errYielded) {
				return err
			}
		} else if !errors.Is(err, errYielded) {
			return err
		}
		p.done(b)
	}
}

// fetch waits for a batch; done tells that there will be none.
func (p *publisher) fetch(ctx context.Context, b *batch) (done bool, err error) {
	b.all, err = p.backlog.take(ctx, b.all[:0], maxBatch)
	if errors.Is(err, errBacklogClosed) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("take ticks to publish: %w", err)
	}
	return false, nil
}

// done lets go of a batch.
func (p *publisher) done(b *batch) {
	p.backlog.settleAll(p.place(b))
	clear(b.all)
	clear(b.kept)
}

// place is where in TICKS all that follows a batch is behind. While some of that
// may be stored already, that is where it was when this became so.
func (p *publisher) place(b *batch) place {
	if b.known == nil && !p.appender.overtaken {
		b.behind = p.appender.last
	}
	return b.behind
}

// handle stores the ticks and marks of a batch and rejects the rest.
func (p *publisher) handle(ctx context.Context, b *batch) error {
	ctx, span := p.beginSpan(ctx, b)
	err := p.handleEach(ctx, b)
	telemetry.End(span, err)
	return err
}

func (p *publisher) handleEach(ctx context.Context, b *batch) error {
	b.msgs, b.kept = b.msgs[:0], b.kept[:0]
	var since time.Time
	var unsure bool
	b.out.reset()
	for i := range b.all {
		m := &b.all[i]
		if m.gap != nil {
			if err := p.handleGap(ctx, b, i); err != nil {
				return err
			}
			continue
		}
		if b.known != nil && b.unsure(m) && (b.known.has(m.at) || m.isMark() && !m.at.after(b.known.last)) {
			continue // a mark ahead of what is stored would come behind it now
		}
		unsure = unsure || b.unsure(m)
		since = earlier(since, m.receivedAt)
		if m.isMark() {
			p.addMarks(b, m)
			continue
		}
		msg, err := p.encode(ctx, b, m)
		if err != nil {
			return fmt.Errorf("handle a tick: %w", err)
		}
		if msg != nil {
			b.msgs, b.kept = append(b.msgs, msg), append(b.kept, *m)
		}
	}
	return p.store(ctx, b, since, unsure)
}

// earlier is the earlier of two times, of which the first may be none yet.
func earlier(since, at time.Time) time.Time {
	if since.IsZero() || at.Before(since) {
		return at
	}
	return since
}

// store stores what was made of a batch so far.
func (p *publisher) store(ctx context.Context, b *batch, since time.Time, unsure bool) error {
	if len(b.msgs) == 0 {
		return nil
	}
	p.carrySpan(ctx, b)
	if err := p.appender.append(ctx, b.term, b.msgs, since, unsure); err != nil {
		return fmt.Errorf("store ticks: %w", err)
	}
	if len(b.kept) > 0 {
		p.cfg.Telemetry.Stored(stream.Ticks, time.Since(b.kept[0].receivedAt))
	}
	p.stored.Add(int64(len(b.kept)))
	p.settle(ctx, b.kept)
	return nil
}

// encode makes the message of a tick; nil for what is none, which it rejects.
func (p *publisher) encode(ctx context.Context, b *batch, m *message) (*nats.Msg, error) {
	reject := func(reason, detail string) (*nats.Msg, error) {
		return nil, p.rejecter.reject(ctx, b.term, b.unsure(m), *m, reason, detail)
	}
	if m.reason != "" {
		return reject(m.reason, m.detail)
	}
	payload := readOnly(m.payload)
	err := p.decoder.Decode(payload, m.receivedAt, &b.tick)
	if refusal, ok := errors.AsType[*tick.Refusal](err); ok {
		return reject(string(refusal.Reason), refusal.Detail)
	}
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	subject, refusal := p.symbols.admit(b.tick.Symbol)
	if refusal != nil {
		return reject(string(refusal.Reason), refusal.Detail)
	}
	p.next++
	msg := b.out.make(subject, p.names.messageID(p.prefix, m, p.next), payload)
	if b.term == anyTerm {
		msg.Header.Set(lateHeader, "1")
	}
	return msg, nil
}

// addMarks adds a clock mark, one a partition.
func (p *publisher) addMarks(b *batch, m *message) {
	// A struct of a string and a time always encodes.
	data, _ := json.Marshal(event.NewClockMark(m.watermark))
	p.next++
	at := p.names.messageID(p.prefix, m, p.next)
	for partition := range int(p.partitions.Load()) {
		b.msgs = append(b.msgs, b.out.make(stream.ClockSubject(partition), markID(at, m.watermark, partition), data))
	}
}
