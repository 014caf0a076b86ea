package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

var (
	// ErrSameSystem is returned by [NewCopier] where the target's TICKS is the
	// source's.
	ErrSameSystem = errors.New("source and target are the same TICKS")
	// ErrTargetLive is returned by [NewCopier] while a bridge runs on the target:
	// its clock marks, which are of now, would make older ticks too late.
	ErrTargetLive = errors.New("a bridge runs on the target")
	// ErrTargetHolds is returned by [NewCopier] for a target that holds ticks or
	// clock marks, unless [CopierConfig.Append] is set.
	ErrTargetHolds = errors.New("the target's TICKS is not empty")
	// ErrOtherWriter is returned by a [Copier] that finds something behind its
	// last message that it has not stored: a bridge was started, or another copy.
	ErrOtherWriter = errors.New("somebody else stores in the target's TICKS")
	// ErrRemembered is returned by a [Copier] for messages that the target's
	// duplicate window holds though they are not at the end of its TICKS: it was
	// purged, or written to by others.
	ErrRemembered = errors.New("the target's TICKS remembers an earlier copy of these ticks")
	// ErrCopied is returned by [Copier.Behind] where all of the range is there.
	ErrCopied = errors.New("the target holds that range already")
)

// CopierConfig of a [Copier].
type CopierConfig struct {
	// Append allows a target that holds ticks or marks. A copy of the same source
	// that was interrupted goes on where it ended.
	Append bool
	// Partitions and Replicas of a target whose streams are to be made; 0 takes
	// as many partitions as the source has, and one replica. They must fit a
	// target that has streams.
	Partitions, Replicas int
	// AckTimeout bounds the wait for one acknowledgement. Defaults to 10 s.
	AckTimeout time.Duration
}

// Copier is a [Sink] that stores ticks and clock marks in the TICKS of another
// system, in their order and each once: all others who write there are noticed,
// and after a lost acknowledgement it is read what was stored. For a
// [Config] with ClockMarks set.
//
// Where both streams have as many partitions, marks are copied as they are.
// Otherwise each partition of the target gets the least of the source
// partitions' marks whenever that rises, which is what is true of any mixture of
// their symbols.
type Copier struct {
	cfg    CopierConfig
	source jetstream.JetStream
	target jetstream.JetStream
	log    *slog.Logger

	id                  string // begins the message ids
	sources, partitions int    // partitions of source and target
	complete            *completeness
	primed              bool

	done    place  // in the source, of what the target held at the start
	last    uint64 // sequence of the target's last message
	pending []copied
	bytes   int // of pending
}

var _ Sink = (*Copier)(nil)

// copied is one message on its way.
type copied struct {
	subject string
	place   place
	data    []byte
}

// NewCopier looks at both systems, refuses what would go wrong ([ErrSameSystem],
// [ErrTargetLive], [ErrTargetHolds], [stream.ErrConflict]), and then makes what
// streams the target lacks.
func NewCopier(ctx context.Context, cfg CopierConfig, source, target jetstream.JetStream, log *slog.Logger) (*Copier, error) {
	cfg.AckTimeout = cmp.Or(cfg.AckTimeout, defaultAckTimeout)
	from, err := source.Stream(ctx, stream.Ticks)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	info := from.CachedInfo()
	c := &Copier{cfg: cfg, source: source, target: target, log: log, id: sourceID(info.Created), sources: stream.PartitionsOf(info.Config)}
	if c.sources == 0 {
		return nil, fmt.Errorf("stream %s of the source is not partitioned: %w", stream.Ticks, stream.ErrConflict)
	}
	if err := c.refuse(ctx, info); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx, info); err != nil {
		return nil, err
	}
	c.complete = newCompleteness(c.sources)
	return c, nil
}

// refuse asks the target without changing it.
func (c *Copier) refuse(ctx context.Context, source *jetstream.StreamInfo) error {
	to, err := c.target.Stream(ctx, stream.Ticks)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up stream %s of the target: %w", stream.Ticks, err)
	}
	info := to.CachedInfo()
	// The server's id would not do: a cluster has many, and a server many accounts.
	if info.Created.Equal(source.Created) {
		return fmt.Errorf("%w: both were made %s (servers %s and %s)", ErrSameSystem, info.Created.UTC().Format(time.RFC3339Nano),
			c.source.Conn().ConnectedServerId(), c.target.Conn().ConnectedServerId())
	}
	if err := c.refuseLive(ctx); err != nil {
		return err
	}
	if info.State.Msgs == 0 {
		return nil
	}
	if err := c.locate(ctx); err != nil {
		return err
	}
	if c.cfg.Append {
		return nil
	}
	if c.done.sequence > 0 {
		return fmt.Errorf("%w: it holds a copy up to %v", ErrTargetHolds, c.done)
	}
	return fmt.Errorf("%w: it holds %d messages", ErrTargetHolds, info.State.Msgs)
}

func (c *Copier) refuseLive(ctx context.Context) error {
	bucket, err := c.target.KeyValue(ctx, stream.ComponentsBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil // nothing ever ran there
	}
	var reports []presence.Report
	if err == nil {
		reports, err = presence.List(ctx, bucket)
	}
	if err != nil {
		return fmt.Errorf("learn from bucket %s whether a bridge runs on the target: %w", stream.ComponentsBucket, err)
	}
	for _, r := range reports {
		if r.Role == presence.RoleBridge {
			return fmt.Errorf("%w: process %d on %s", ErrTargetLive, r.PID, r.Host)
		}
	}
	return nil
}

// prepare makes the streams that are missing. A new TICKS may hold as much as
// the source's.
func (c *Copier) prepare(ctx context.Context, source *jetstream.StreamInfo) error {
	cfg := stream.Config{Partitions: c.cfg.Partitions, Replicas: c.cfg.Replicas}
	to, err := c.target.Stream(ctx, stream.Ticks)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		cfg.Partitions = cmp.Or(cfg.Partitions, c.sources)
		cfg.NewTicksMaxBytes = max(source.Config.MaxBytes, 0)
	case err != nil:
		return fmt.Errorf("look up stream %s of the target: %w", stream.Ticks, err)
	default:
		if limit := to.CachedInfo().Config.MaxBytes; limit > 0 && uint64(limit) < source.State.Bytes {
			c.log.Warn("the target may drop the oldest ticks before the newest are copied", "stream", stream.Ticks,
				"max_bytes", limit, "source_bytes", source.State.Bytes)
		}
	}
	layout, err := stream.Ensure(ctx, c.target, cfg, c.log)
	if err != nil {
		return fmt.Errorf("prepare the target: %w", err)
	}
	c.partitions = layout.Partitions
	if to, err = c.target.Stream(ctx, stream.Ticks); err != nil {
		return fmt.Errorf("look up stream %s of the target: %w", stream.Ticks, err)
	}
	if last := to.CachedInfo().State.LastSeq; c.last != last {
		if c.last != 0 {
			return fmt.Errorf("%w: sequence %d came after %d", ErrOtherWriter, last, c.last)
		}
		c.last = last // purged
	}
	return nil
}

// Behind narrows a range to what is behind the part that the target holds of
// this source, and sets ClockMarks. from is the sequence to go on with, 0 where
// the target holds nothing of it. The error is [ErrCopied] where nothing is left.
func (c *Copier) Behind(ctx context.Context, cfg Config) (narrowed Config, from uint64, err error) {
	cfg.ClockMarks = true
	if c.done.sequence == 0 {
		return cfg, 0, nil
	}
	from = c.done.sequence
	if c.done.part >= c.partitions-1 {
		from++
	}
	if !cfg.From.IsZero() {
		first, err := firstAt(ctx, c.source, cfg.From)
		if err != nil {
			return cfg, 0, err
		}
		cfg.From, cfg.FromSeq = time.Time{}, first
	}
	cfg.FromSeq = max(cfg.FromSeq, from)
	info, err := c.source.Stream(ctx, stream.Ticks)
	if err != nil {
		return cfg, 0, fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	if end := info.CachedInfo().State.LastSeq; from > end || cfg.ToSeq != 0 && from > cfg.ToSeq {
		return cfg, from, fmt.Errorf("%w: it has the source up to %v", ErrCopied, c.done)
	}
	return cfg, from, nil
}

// firstAt is the sequence of the first message that was stored at that time or
// after, 0 if there is none.
func firstAt(ctx context.Context, js jetstream.JetStream, at time.Time) (uint64, error) {
	found, err := jetstreamext.GetBatch(ctx, js, stream.Ticks, 1, jetstreamext.GetBatchStartTime(at))
	if err != nil {
		return 0, fmt.Errorf("look up the first message since %v: %w", at, err)
	}
	for msg, err := range found {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("look up the first message since %v: %w", at, err)
		}
		return msg.Sequence, nil
	}
	return 0, nil
}

// Write implements [Sink].
func (c *Copier) Write(ctx context.Context, m Message) error {
	switch {
	case !m.Mark:
		c.add(stream.TickSubject(m.Symbol), place{m.Sequence, wholeMessage}, m.Payload)
	case c.sources == c.partitions:
		c.add(stream.ClockSubject(m.Partition), place{m.Sequence, wholeMessage}, m.Payload)
	default:
		if err := c.spread(ctx, m); err != nil {
			return err
		}
	}
	for len(c.pending) >= maxCopied || c.bytes >= maxCopiedBytes {
		if err := c.store(ctx); err != nil {
			return err
		}
	}
	return nil
}

// spread adds a mark to each partition of the target if all partitions of the
// source have come further.
func (c *Copier) spread(ctx context.Context, m Message) error {
	at, ok := markTime(m.Payload)
	if !ok || m.Partition >= c.sources {
		c.log.Warn("a clock mark that says nothing is not copied", "stream", stream.Ticks, "seq", m.Sequence)
		return nil
	}
	if !c.primed {
		if err := c.complete.readBefore(ctx, c.source, m.Sequence); err != nil {
			return err
		}
		if c.done.sequence > 0 {
			c.complete.rise() // which the target has
		}
		c.primed = true
	}
	c.complete.take(m.Partition, at)
	least, risen := c.complete.rise()
	if !risen {
		return nil
	}
	data, err := json.Marshal(event.NewClockMark(least))
	if err != nil {
		return fmt.Errorf("encode clock mark: %w", err)
	}
	for p := range c.partitions {
		c.add(stream.ClockSubject(p), place{m.Sequence, p}, data)
	}
	return nil
}

// add puts a message behind those on their way, unless the target has it.
func (c *Copier) add(subject string, at place, data []byte) {
	if c.done.holds(at.sequence, at.part) {
		return
	}
	c.pending = append(c.pending, copied{subject, at, data})
	c.bytes += len(data)
}

// Flush implements [Sink].
func (c *Copier) Flush(ctx context.Context) error {
	for len(c.pending) > 0 {
		if err := c.store(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c copied) message(source string) *nats.Msg {
	return &nats.Msg{Subject: c.subject, Data: c.data, Header: nats.Header{nats.MsgIdHdr: {c.place.id(source)}}}
}
