package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// restore makes the partition this worker's, takes up the state that holds and
// learns how far the results of it are published.
func (t *tenure) restore(ctx context.Context) error {
	ticks, err := t.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	t.created = ticks.CachedInfo().Created.UnixNano()
	for _, o := range t.outboxes() {
		o.created = t.created
		claim, cancel := context.WithTimeout(ctx, apiTimeout)
		err := o.claim(claim)
		cancel()
		if err != nil {
			return err
		}
	}
	// Only now: whoever owned the partition published until it was claimed, of
	// ticks that came since the stream was looked up.
	info, err := ticks.Info(ctx)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	if err := t.forgetLost(ctx, info); err != nil {
		return err
	}
	if t.checkpoints.bucket, err = t.js.KeyValue(ctx, stream.CheckpointsBucket); err != nil {
		return fmt.Errorf("open bucket %s: %w", stream.CheckpointsBucket, err)
	}
	state, err := t.checkpoints.load(ctx)
	if errors.Is(err, errCorrupt) {
		t.log.Warn("checkpoint is damaged, making the state anew", "partition", t.partition)
	} else if err != nil {
		return err
	}
	if asked := t.checkpoints.manifest.Rebuild; asked != 0 {
		return t.rebuild(ctx, time.Unix(0, asked).UTC(), info)
	}
	manifest := t.checkpoints.manifest
	same, err := t.holds(ctx, info, position{sequence: manifest.Sequence, storedAt: manifest.StoredAt})
	if err != nil {
		return err
	}
	if state != nil && manifest.Created == t.created && same {
		t.aggregator, err = aggregate.Decode(t.cfg.Aggregation, state, t.results)
		if err == nil {
			t.warnOfLoss(info)
			return nil
		}
		if !errors.Is(err, aggregate.ErrEncoding) {
			return fmt.Errorf("read checkpoint: %w", err)
		}
		t.log.Warn("checkpoint is of other settings or another version, making the state anew", "partition", t.partition)
	}
	return t.recoverState(ctx, info)
}

// forgetLost takes results of messages that TICKS has lost for those of another
// stream: a power cut, or a backup put back, may have cost TICKS its end, and
// new messages then have the sequences of the lost ones.
func (t *tenure) forgetLost(ctx context.Context, info *jetstream.StreamInfo) error {
	for _, o := range t.outboxes() {
		same, err := t.holds(ctx, info, o.stored)
		if err != nil {
			return err
		}
		if !same {
			t.log.Warn("TICKS has lost its end: results are there of ticks that are not", "partition", t.partition, "stream", o.stream, "seq", o.stored.sequence)
			o.stored, o.skip = position{}, position{}
		}
	}
	return nil
}

// holds tells whether TICKS has the message of a position, or had it before it
// aged out.
func (t *tenure) holds(ctx context.Context, info *jetstream.StreamInfo, p position) (bool, error) {
	if p.sequence == 0 || p.storedAt == 0 {
		return p.sequence <= info.State.LastSeq, nil
	}
	if p.sequence > info.State.LastSeq {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	msg, err := stream.AtLeader(ctx, t.js, stream.Ticks, stream.Place{Seq: p.sequence})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil // aged out, or removed by hand
	}
	if err != nil {
		return false, fmt.Errorf("read %s at %d: %w", stream.Ticks, p.sequence, err)
	}
	return msg.Time.UnixNano() == p.storedAt, nil
}

// warnOfLoss tells of ticks that left TICKS before they were read.
func (t *tenure) warnOfLoss(info *jetstream.StreamInfo) {
	if first, next := info.State.FirstSeq, t.aggregator.Sequence()+1; first > next {
		t.log.Warn("ticks left the stream before they were read: its age or size is too small for how long the pipeline was away",
			"partition", t.partition, "stream", stream.Ticks, "from_seq", next, "to_seq", first-1)
	}
}
