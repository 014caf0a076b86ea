package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"

	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// maxRejectBytes of a refused payload are kept; its size is kept besides.
	maxRejectBytes = 64 << 10
	// rejectBatchBytes keeps a batch of large rejects below the server's limits.
	rejectBatchBytes = 4 << 20
	rejectLogEvery   = 10 * time.Second
	// reasonFieldMissing: an entry of a Redis stream without a payload field.
	reasonFieldMissing = "field_missing"
)

// refusal is a message that is no tick, and why.
type refusal struct {
	message
	reason string
	detail string
}

// rejecter keeps refused input in REJECTS, beside the ticks: only when its own
// backlog is full do the ticks wait for it.
type rejecter struct {
	appender *appender
	settle   func(context.Context, []message)
	origin   string
	prefix   string // of message ids
	log      *slog.Logger

	waiting chan refusal
	next    uint64

	mu      sync.Mutex
	counts  map[string]int64
	logged  map[string]time.Time
	quieted map[string]int64
}

// rejectBacklog bounds what waits for REJECTS in memory.
const rejectBacklog = 10_000

func newRejecter(a *appender, origin, prefix string, settle func(context.Context, []message), log *slog.Logger) *rejecter {
	return &rejecter{
		appender: a, settle: settle, origin: origin, prefix: prefix, log: log,
		waiting: make(chan refusal, rejectBacklog),
		counts:  make(map[string]int64), logged: make(map[string]time.Time), quieted: make(map[string]int64),
	}
}

// reject takes one refused message; it waits when the backlog is full, for a
// refused message is as much to be kept as a tick.
func (r *rejecter) reject(ctx context.Context, m message, reason, detail string) error {
	r.count(reason, detail, m)
	select {
	case r.waiting <- refusal{message: m, reason: reason, detail: detail}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("keep a reject: %w", ctx.Err())
	}
}

// count counts by reason and logs the first of a kind, then one line for all
// that follow within a while.
func (r *rejecter) count(reason, detail string, m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[reason]++
	if now := time.Now(); now.Sub(r.logged[reason]) >= rejectLogEvery {
		r.log.Warn("tick refused", "reason", reason, "detail", detail, "source", r.origin,
			"total", r.counts[reason], "not_logged", r.quieted[reason])
		r.logged[reason], r.quieted[reason] = now, 0
		return
	}
	r.quieted[reason]++
}

// totals are the refusals by reason since the start.
func (r *rejecter) totals() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// done says that nothing more will be refused.
func (r *rejecter) done() { close(r.waiting) }

// run stores what is refused until done was called and all is stored, or ctx
// ends.
func (r *rejecter) run(ctx context.Context) error {
	for {
		batch, more := r.collect(ctx)
		if len(batch) > 0 {
			if err := r.store(ctx, batch); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("store rejects: %w", ctx.Err())
		}
	}
}

// collect waits for one refusal and takes those that wait behind it.
func (r *rejecter) collect(ctx context.Context) (batch []refusal, more bool) {
	select {
	case first, open := <-r.waiting:
		if !open {
			return nil, false
		}
		batch = append(batch, first)
	case <-ctx.Done():
		return nil, true
	}
	bytes := len(batch[0].payload)
	for len(batch) < 500 && bytes < rejectBatchBytes {
		select {
		case next, open := <-r.waiting:
			if !open {
				return batch, false
			}
			batch = append(batch, next)
			bytes += min(len(next.payload), maxRejectBytes)
		default:
			return batch, true
		}
	}
	return batch, true
}

func (r *rejecter) store(ctx context.Context, batch []refusal) error {
	msgs := make([]*nats.Msg, len(batch))
	kept := make([]message, len(batch))
	for i := range batch {
		msgs[i], kept[i] = r.encode(batch[i]), batch[i].message
	}
	if err := r.appender.append(ctx, msgs); err != nil {
		return fmt.Errorf("store %d rejects: %w", len(batch), err)
	}
	r.settle(ctx, kept)
	return nil
}

func (r *rejecter) encode(refused refusal) *nats.Msg {
	msg := nats.NewMsg(stream.RejectSubject(refused.reason))
	msg.Data = []byte(refused.payload[:min(len(refused.payload), maxRejectBytes)])
	r.next++
	msg.Header.Set(nats.MsgIdHdr, messageID(r.prefix, refused.message, r.next))
	msg.Header.Set(event.HeaderRejectReason, refused.reason)
	msg.Header.Set(event.HeaderRejectDetail, headerText(refused.detail))
	msg.Header.Set(event.HeaderRejectSource, headerText(r.origin))
	msg.Header.Set(event.HeaderRejectReceivedAt, refused.receivedAt.UTC().Format(time.RFC3339Nano))
	if len(refused.payload) > maxRejectBytes {
		msg.Header.Set(event.HeaderRejectSize, strconv.Itoa(len(refused.payload)))
	}
	return msg
}

// headerText makes text fit a header line.
func headerText(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, text)
}

// messageID is the entry's own id where the source has one, which is the same
// after a restart, else a number of this process's life.
func messageID(prefix string, m message, n uint64) string {
	if m.entryID != "" {
		return m.entryID
	}
	return prefix + strconv.FormatUint(n, 36)
}
