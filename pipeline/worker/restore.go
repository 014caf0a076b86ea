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
	info := ticks.CachedInfo()
	t.created = info.Created.UnixNano()
	for _, o := range t.outboxes() {
		o.created = t.created
		claim, cancel := context.WithTimeout(ctx, apiTimeout)
		err := o.claim(claim)
		cancel()
		if err != nil {
			return err
		}
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
	if state != nil && manifest.Created == t.created && manifest.Sequence <= info.State.LastSeq {
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

// warnOfLoss tells of ticks that left TICKS before they were read.
func (t *tenure) warnOfLoss(info *jetstream.StreamInfo) {
	if first, next := info.State.FirstSeq, t.aggregator.Sequence()+1; first > next {
		t.log.Warn("ticks left the stream before they were read: its age or size is too small for how long the pipeline was away",
			"partition", t.partition, "stream", stream.Ticks, "from_seq", next, "to_seq", first-1)
	}
}
