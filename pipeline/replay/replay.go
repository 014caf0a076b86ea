// Package replay reads ticks out of JetStream again, by time or by sequence,
// and hands them on at the pace of their event times.
package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	flushEvery = 10_000 // messages between two flushes without a pause
	// A pause shorter than this is not worth a flush: the next one makes up for it.
	shortestPause = time.Millisecond
	finalFlush    = 5 * time.Second
)

// ErrEmpty is returned by [Config.Validate] for a range that ends before it
// begins, and by [Replay.Run] for one in which TICKS holds no tick (of the
// symbols that were asked for), whatever the reason. It is not returned when
// something was written.
var ErrEmpty = errors.New("no tick in that range")

// Config of a [Replay]. The zero value is every tick that TICKS holds, as fast
// as possible.
type Config struct {
	// From and To bound when a tick was stored, both included. Zero: no bound.
	From, To time.Time
	// FromSeq and ToSeq bound the sequence in TICKS, both included. Zero: no
	// bound; ToSeq never goes beyond what is there when the replay starts. Not
	// together with From and To of the same end.
	FromSeq, ToSeq uint64
	// Symbols to replay. Defaults to all.
	Symbols []string
	// Speed divides the time between ticks: 1 is as it was, 10 ten times as
	// fast. Defaults to 0, which waits for nothing.
	Speed float64
	// ClockMarks hands on clock marks too, of all partitions, in their places
	// among the ticks. A range that holds one is not empty.
	ClockMarks bool
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	var errs []error
	if !c.From.IsZero() && c.FromSeq != 0 {
		errs = append(errs, errors.New("from is given as a time and as a sequence: give one"))
	}
	if !c.To.IsZero() && c.ToSeq != 0 {
		errs = append(errs, errors.New("to is given as a time and as a sequence: give one"))
	}
	if !c.From.IsZero() && !c.To.IsZero() && c.To.Before(c.From) {
		errs = append(errs, fmt.Errorf("%w: to is before from, swap them", ErrEmpty))
	}
	if c.FromSeq != 0 && c.ToSeq != 0 && c.ToSeq < c.FromSeq {
		errs = append(errs, fmt.Errorf("%w: to sequence %d is before from sequence %d, swap them", ErrEmpty, c.ToSeq, c.FromSeq))
	}
	if c.Speed < 0 || math.IsNaN(c.Speed) || math.IsInf(c.Speed, 0) {
		errs = append(errs, fmt.Errorf("speed is %v: give a positive number, or 0 for as fast as possible", c.Speed))
	}
	if slices.Contains(c.Symbols, "") {
		errs = append(errs, errors.New("a symbol is empty: leave it out"))
	}
	return errors.Join(errs...)
}

// Message is one stored tick, or one clock mark.
type Message struct {
	Sequence  uint64
	Mark      bool // a clock mark, which has no symbol
	Partition int
	Symbol    string
	StoredAt  time.Time
	Payload   []byte // the bytes as they came; not to be changed
}

// Sink takes the messages of a replay, called by one goroutine.
type Sink interface {
	// Write takes the next message; it may keep it until Flush.
	Write(ctx context.Context, m Message) error
	// Flush returns nil once everything written has been delivered.
	Flush(ctx context.Context) error
}

// Progress of a replay.
type Progress struct {
	// First and Last bound the sequences; 0 until they are known.
	First, Last uint64
	// Position is the last sequence that was read.
	Position uint64
	// Next is the sequence to go on with after an interruption: every tick
	// before it has been delivered. 0 while nothing has been read.
	Next uint64
	// Ticks, Marks and their Bytes were written to the sink.
	Ticks, Marks, Bytes int64
	// Done is true once the whole range has been delivered.
	Done bool
}

// Replay is one run over a range of TICKS.
type Replay struct {
	cfg  Config
	js   jetstream.JetStream
	sink Sink
	log  *slog.Logger

	pacer     *Pacer
	clock     *Clock
	began     bool // the first message of the range was read
	unflushed int
	empty     error    // what to return if no tick is found
	run       Progress // owned by Run
	published atomic.Pointer[Progress]
}

// New makes a replay of what cfg says out of js into sink.
func New(cfg Config, js jetstream.JetStream, sink Sink, log *slog.Logger) (*Replay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("replay settings: %w", err)
	}
	clock, err := NewClock()
	if err != nil {
		return nil, err
	}
	r := &Replay{cfg: cfg, js: js, sink: sink, log: log, pacer: NewPacer(cfg.Speed), clock: clock}
	r.published.Store(&Progress{})
	return r, nil
}

// Progress may be called while Run runs and after.
func (r *Replay) Progress() Progress { return *r.published.Load() }

// Run replays the range. It returns nil at its end, [ErrEmpty] if there was no
// tick in it, and nil when ctx ends before (then [Progress].Done is false); an
// error of the sink ends it as well. It
// waits for a JetStream that is away.
func (r *Replay) Run(ctx context.Context) error {
	if err := r.locate(ctx); err != nil {
		return err
	}
	err := r.read(ctx)
	interrupted := ctx.Err() != nil
	// What was written before the interruption counts if it can be delivered.
	flushCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalFlush)
	defer cancel()
	if flushErr := r.flush(flushCtx); flushErr != nil && (err == nil || interrupted) {
		return flushErr
	}
	if interrupted {
		return nil
	}
	if err != nil {
		return err
	}
	r.run.Done, r.run.Position, r.run.Next = true, r.run.Last, r.run.Last+1
	r.publish()
	if r.run.Ticks+r.run.Marks == 0 {
		return r.empty
	}
	return nil
}

// locate finds the sequences that bound the range as far as they are known.
func (r *Replay) locate(ctx context.Context) error {
	ticks, err := r.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	state := ticks.CachedInfo().State
	first, last := max(state.FirstSeq, r.cfg.FromSeq), state.LastSeq
	if r.cfg.ToSeq != 0 {
		last = min(last, r.cfg.ToSeq)
	}
	r.empty = emptiness(state)
	if state.Msgs == 0 || first > last {
		return r.empty
	}
	if r.cfg.FromSeq != 0 && r.cfg.FromSeq < state.FirstSeq {
		r.log.Warn("the beginning of the range is gone", "stream", stream.Ticks, "from_seq", r.cfg.FromSeq, "seq", state.FirstSeq)
	}
	r.run = Progress{First: first, Last: last, Position: first - 1, Next: first}
	if !r.cfg.From.IsZero() {
		r.run.First, r.run.Position, r.run.Next = 0, 0, 0 // until the first message is read
	}
	r.publish()
	return nil
}

// emptiness is what to say of a range without a tick.
func emptiness(state jetstream.StreamState) error {
	if state.Msgs == 0 {
		return fmt.Errorf("%w: stream %s is empty", ErrEmpty, stream.Ticks)
	}
	return fmt.Errorf("%w: stream %s holds the sequences %d to %d, stored %s to %s", ErrEmpty, stream.Ticks,
		state.FirstSeq, state.LastSeq, state.FirstTime.UTC().Format(time.RFC3339), state.LastTime.UTC().Format(time.RFC3339))
}

// handle waits until the tick is due and writes it.
func (r *Replay) handle(ctx context.Context, msg jetstream.Msg, meta *jetstream.MsgMetadata) error {
	seq := meta.Sequence.Stream
	if !r.began {
		r.began = true
		r.run.First, r.run.Position, r.run.Next = seq, seq-1, seq
	}
	m, ok := r.message(msg, meta)
	if !ok {
		r.run.Position = seq
		return nil
	}
	if r.cfg.Speed > 0 {
		if d := r.pacer.Delay(r.due(m)); d >= shortestPause {
			if err := r.flush(ctx); err != nil {
				return err
			}
			if pause(ctx, d) != nil {
				return nil // not written: Next stays where it is
			}
		}
	}
	if err := r.sink.Write(ctx, m); err != nil {
		return fmt.Errorf("write message %d: %w", seq, err)
	}
	r.run.Position = seq
	if m.Mark {
		r.run.Marks++
	} else {
		r.run.Ticks++
	}
	r.run.Bytes += int64(len(m.Payload))
	if r.unflushed++; r.unflushed >= flushEvery {
		return r.flush(ctx)
	}
	return nil
}

// message is false for what is not to be handed on.
func (r *Replay) message(msg jetstream.Msg, meta *jetstream.MsgMetadata) (Message, bool) {
	m := Message{Sequence: meta.Sequence.Stream, StoredAt: meta.Timestamp, Payload: msg.Data()}
	if stored, ok := stream.ParseStoredTick(msg.Subject()); ok {
		m.Partition, m.Symbol = stored.Partition, stored.Symbol
		return m, true
	}
	var ok bool
	m.Partition, ok = stream.ParseClockMark(msg.Subject())
	m.Mark = true
	return m, ok && r.cfg.ClockMarks
}

// due is the event time at which m is paced; of what somebody else stored, when
// that was.
func (r *Replay) due(m Message) time.Time {
	if m.Mark {
		if at, ok := markTime(m.Payload); ok {
			return at
		}
	} else if at, ok := r.clock.EventTime(m.Payload, m.StoredAt); ok {
		return at
	}
	return m.StoredAt
}

// flush delivers what is written and says so in the progress.
func (r *Replay) flush(ctx context.Context) error {
	if r.unflushed > 0 {
		if err := r.sink.Flush(ctx); err != nil {
			return fmt.Errorf("deliver ticks up to %d: %w", r.run.Position, err)
		}
		r.unflushed = 0
	}
	if r.began {
		r.run.Next = r.run.Position + 1
	}
	r.publish()
	return nil
}

func (r *Replay) publish() {
	snapshot := r.run
	r.published.Store(&snapshot)
}
