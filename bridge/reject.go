package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"golang.org/x/sync/semaphore"
)

const (
	// maxRejectBytes of a refused payload are kept; its size is kept besides.
	maxRejectBytes = 64 << 10
	// rejectBatchBytes keeps a batch of large rejects below the server's limits.
	rejectBatchBytes = 4 << 20
	// rejectQueueBytes bounds what waits for REJECTS in memory.
	rejectQueueBytes = 32 << 20
	rejectLogEvery   = 10 * time.Second
	// reasonFieldMissing: an entry of a Redis stream without a payload field.
	reasonFieldMissing = "field_missing"
)

// refusal is a message that is no tick, and why.
type refusal struct {
	message
	term   int64
	unsure bool // whether it is kept already
	size   int  // of the whole payload
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
	names    *alignment
	log      *slog.Logger

	waiting chan refusal
	room    *semaphore.Weighted // bytes of the queue
	pending atomic.Int64        // refused and neither stored nor given up
	next    uint64

	mu      sync.Mutex
	counts  map[string]int64
	logged  map[string]time.Time
	quieted map[string]int64
}

// rejectBacklog bounds how many wait for REJECTS.
const rejectBacklog = 10_000

func newRejecter(a *appender, origin, prefix string, names *alignment, settle func(context.Context, []message), log *slog.Logger) *rejecter {
	return &rejecter{
		appender: a, settle: settle, origin: origin, prefix: prefix, names: names, log: log,
		waiting: make(chan refusal, rejectBacklog), room: semaphore.NewWeighted(rejectQueueBytes),
		counts: make(map[string]int64), logged: make(map[string]time.Time), quieted: make(map[string]int64),
	}
}

// reject takes one refused message; it waits when the backlog is full, for a
// refused message is as much to be kept as a tick.
func (r *rejecter) reject(ctx context.Context, term int64, unsure bool, m message, reason, detail string) error {
	r.count(reason, detail)
	m.cut()
	refused := refusal{message: m, term: term, unsure: unsure, size: m.wholeSize, reason: reason, detail: detail}
	r.pending.Add(1)
	if err := r.room.Acquire(ctx, refused.message.size()); err != nil {
		return fmt.Errorf("keep a reject: %w", err)
	}
	select {
	case r.waiting <- refused:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("keep a reject: %w", ctx.Err())
	}
}

// count counts by reason and logs the first of a kind, then one line for all
// that follow within a while.
func (r *rejecter) count(reason, detail string) {
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
			bytes += len(next.payload)
		default:
			return batch, true
		}
	}
	return batch, true
}

// store stores a batch, all of one term but for what was read before another
// bridge took over, which is given up.
func (r *rejecter) store(ctx context.Context, batch []refusal) error {
	term := batch[len(batch)-1].term
	var msgs []*nats.Msg
	var kept []message
	var bytes int64
	var since time.Time
	var unsure bool
	for i := range batch {
		bytes += batch[i].message.size()
		since, unsure = earlier(since, batch[i].receivedAt), unsure || batch[i].unsure
		if batch[i].term == term {
			msgs, kept = append(msgs, r.encode(batch[i])), append(kept, batch[i].message)
		}
	}
	err := r.appender.append(ctx, term, msgs, since, unsure)
	if err != nil && !errors.Is(err, errYielded) {
		return fmt.Errorf("store %d rejects: %w", len(batch), err)
	}
	r.room.Release(bytes)
	r.pending.Add(-int64(len(batch)))
	if err == nil {
		r.settle(ctx, kept)
	}
	return nil
}

func (r *rejecter) encode(refused refusal) *nats.Msg {
	msg := nats.NewMsg(stream.RejectSubject(refused.reason))
	msg.Data = []byte(refused.payload)
	r.next++
	msg.Header.Set(nats.MsgIdHdr, r.names.messageID(r.prefix, &refused.message, r.next))
	msg.Header.Set(event.HeaderRejectReason, refused.reason)
	msg.Header.Set(event.HeaderRejectDetail, headerText(refused.detail))
	msg.Header.Set(event.HeaderRejectSource, headerText(r.origin))
	msg.Header.Set(event.HeaderRejectReceivedAt, refused.receivedAt.UTC().Format(time.RFC3339Nano))
	if refused.size > 0 {
		msg.Header.Set(event.HeaderRejectSize, strconv.Itoa(refused.size))
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

// messageID is the entry's own id where the source has one, or that of the
// place in a channel, which are the same after a restart and for every bridge;
// else a number of this process's life.
func (a *alignment) messageID(prefix string, m *message, n uint64) string {
	if m.entryID != "" {
		return m.entryID
	}
	if id := a.id(m.at); id != "" {
		return id
	}
	return prefix + strconv.FormatUint(n, 36)
}
