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
	cfg        Config
	queue      *queue
	decoder    *tick.Decoder
	appender   *appender
	rejecter   *rejecter
	settle     func(context.Context, []message)
	partitions atomic.Int64
	prefix     string // of message ids

	next   uint64
	stored atomic.Int64
	held   atomic.Int64 // ticks taken and not yet stored
	bytes  atomic.Int64 // of these
}

// run stores until the queue is closed and empty, or ctx ends.
func (p *publisher) run(ctx context.Context) error {
	var (
		batch []message
		msgs  []*nats.Msg
		kept  []message
		t     tick.Tick
	)
	for {
		var err error
		batch, err = p.queue.take(ctx, batch[:0], maxBatch)
		if errors.Is(err, errQueueClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("take ticks to publish: %w", err)
		}
		if batch, err = p.withoutKept(ctx, batch); err != nil {
			return err
		}
		msgs, kept = msgs[:0], kept[:0]
		bytes := int64(0)
		for i := range batch {
			m := &batch[i]
			if m.isMark() {
				msgs = p.appendMarks(msgs, m.watermark)
				continue
			}
			msg, err := p.encode(ctx, m, &t)
			if err != nil {
				return fmt.Errorf("handle a tick: %w", err)
			}
			if msg != nil {
				msgs, kept = append(msgs, msg), append(kept, *m)
				bytes += m.size()
			}
		}
		p.held.Store(int64(len(kept)))
		p.bytes.Store(bytes)
		if err := p.store(ctx, msgs, kept); err != nil {
			return err
		}
		p.held.Store(0)
		p.bytes.Store(0)
	}
}

// encode makes the message of a tick; nil for what is none, which it rejects.
func (p *publisher) encode(ctx context.Context, m *message, t *tick.Tick) (*nats.Msg, error) {
	if m.refused != "" {
		return nil, p.rejecter.reject(ctx, *m, reasonFieldMissing, m.refused)
	}
	payload := []byte(m.payload)
	err := p.decoder.Decode(payload, m.receivedAt, t)
	if refusal, ok := errors.AsType[*tick.Refusal](err); ok {
		return nil, p.rejecter.reject(ctx, *m, string(refusal.Reason), refusal.Detail)
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

// store appends msgs and settles the ticks among them.
func (p *publisher) store(ctx context.Context, msgs []*nats.Msg, kept []message) error {
	if len(msgs) == 0 {
		return nil
	}
	if err := p.appender.append(ctx, msgs); err != nil {
		return fmt.Errorf("store ticks: %w", err)
	}
	p.stored.Add(int64(len(kept)))
	p.settle(ctx, kept)
	return nil
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
