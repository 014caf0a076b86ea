package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Rebuilt is what a rebuild published.
type Rebuilt struct {
	Partitions int   // that are done
	Bars       int64 // whose result differed
	Signals    int64
}

// RequestRebuild asks the owners of all partitions, or whoever becomes one, to
// compute the bars from the time from on again from TICKS, and to publish what
// differs as revisions. [RebuildProgress] tells how far that is.
func RequestRebuild(ctx context.Context, js jetstream.JetStream, partitions int, from time.Time) error {
	bucket, err := js.KeyValue(ctx, stream.CheckpointsBucket)
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", stream.CheckpointsBucket, err)
	}
	for p := range partitions {
		// An owner that writes in between is written over: it goes on from the
		// request, with its state as it then is.
		for {
			c := checkpoints{bucket: bucket, partition: p}
			if _, err := c.load(ctx); err != nil && !errors.Is(err, errCorrupt) {
				return err
			}
			next := c.manifest
			next.Rebuild, next.Rebuilt = from.UnixNano(), nil
			err := c.point(ctx, next)
			if err == nil {
				break
			}
			if !errors.Is(err, errTakenOver) {
				return fmt.Errorf("ask for a rebuild of partition %d: %w", p, err)
			}
		}
	}
	return nil
}

// RebuildProgress is how far the rebuild from the given time is.
func RebuildProgress(ctx context.Context, js jetstream.JetStream, partitions int, from time.Time) (Rebuilt, error) {
	var sum Rebuilt
	bucket, err := js.KeyValue(ctx, stream.CheckpointsBucket)
	if err != nil {
		return sum, fmt.Errorf("open bucket %s: %w", stream.CheckpointsBucket, err)
	}
	for p := range partitions {
		c := checkpoints{bucket: bucket, partition: p}
		if err := c.loadHead(ctx); err != nil && !errors.Is(err, errCorrupt) {
			return sum, err
		}
		if done := c.manifest.Rebuilt; done != nil && done.From == from.UnixNano() {
			sum.Partitions++
			sum.Bars += done.Bars
			sum.Signals += done.Signals
		}
	}
	return sum, nil
}
