package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/aggregate"
)

// anchorsKept is for how many market days a state is kept to rebuild from:
// TICKS is kept for 7 days by default.
const anchorsKept = 9

// anchor is a state of the partition at the beginning of a market day, from
// which bars can be made again. Its parts are as a checkpoint's.
type anchor struct {
	manifest
	Day       int32 `json:"day"`       // days since 1970-01-01
	Watermark int64 `json:"watermark"` // Unix nanoseconds; no bar that begins later is closed in the state
}

func anchorKey(partition int, day int32) string { return fmt.Sprintf("%d.day.%d", partition, day) }

// dropAnchor stores state as the anchor of its day, unless the day has one, and
// removes those that are too old.
func (t *tenure) dropAnchor(ctx context.Context, state []byte) error {
	day, _ := t.aggregator.MarketDay(t.aggregator.Watermark())
	if day == t.anchored {
		return nil
	}
	days, err := t.anchorDays(ctx)
	if err != nil {
		return err
	}
	stored := false
	for _, d := range days {
		stored = stored || d == day
		if d <= day-anchorsKept {
			if err := t.removeAnchor(ctx, d); err != nil {
				return err
			}
		}
	}
	if !stored {
		a := anchor{Day: day, Watermark: t.aggregator.Watermark().UnixNano()}
		a.Sequence, a.Created, a.Worker = t.aggregator.Sequence(), t.created, t.cfg.Instance
		chunks := a.pack(state)
		for part, chunk := range chunks {
			if _, err := t.checkpoints.bucket.Put(ctx, anchorKey(t.partition, day)+"."+strconv.Itoa(part), chunk); err != nil {
				return fmt.Errorf("store a day's state: %w", err)
			}
		}
		head, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode a day's state: %w", err)
		}
		if _, err := t.checkpoints.bucket.Put(ctx, anchorKey(t.partition, day), head); err != nil {
			return fmt.Errorf("store a day's state: %w", err)
		}
	}
	t.anchored = day
	return nil
}

// anchorDays are the days that have an anchor.
func (t *tenure) anchorDays(ctx context.Context) ([]int32, error) {
	prefix := strconv.Itoa(t.partition) + ".day."
	lister, err := t.checkpoints.bucket.ListKeysFiltered(ctx, prefix+"*")
	if err != nil {
		return nil, fmt.Errorf("list the days' states: %w", err)
	}
	var days []int32
	for key := range lister.Keys() {
		if day, err := strconv.ParseInt(strings.TrimPrefix(key, prefix), 10, 32); err == nil {
			days = append(days, int32(day))
		}
	}
	return days, nil
}

func (t *tenure) removeAnchor(ctx context.Context, day int32) error {
	a, _ := t.readAnchor(ctx, day) // one that cannot be read has no parts to find
	for part := range a.Parts {
		if err := t.checkpoints.bucket.Purge(ctx, anchorKey(t.partition, day)+"."+strconv.Itoa(part)); err != nil {
			return fmt.Errorf("remove a day's state: %w", err)
		}
	}
	if err := t.checkpoints.bucket.Purge(ctx, anchorKey(t.partition, day)); err != nil {
		return fmt.Errorf("remove a day's state: %w", err)
	}
	return nil
}

func (t *tenure) readAnchor(ctx context.Context, day int32) (anchor, error) {
	var a anchor
	entry, err := t.checkpoints.bucket.Get(ctx, anchorKey(t.partition, day))
	if err != nil {
		return a, fmt.Errorf("read a day's state: %w", err)
	}
	if err := json.Unmarshal(entry.Value(), &a); err != nil {
		return a, fmt.Errorf("read a day's state: %w", err)
	}
	return a, nil
}

// anchorBefore is the last state in which no bar that begins at from or later is
// closed; nil where there is none that can be used.
func (t *tenure) anchorBefore(ctx context.Context, from time.Time, firstSequence uint64, results aggregate.Results) (*aggregate.Partition, error) {
	days, err := t.anchorDays(ctx)
	if err != nil {
		return nil, err
	}
	var usable []anchor
	for _, day := range days {
		a, err := t.readAnchor(ctx, day)
		if err != nil {
			continue // another one serves
		}
		if a.Created == t.created && a.Sequence+1 >= firstSequence && a.Watermark <= from.UnixNano() {
			usable = append(usable, a)
		}
	}
	slices.SortFunc(usable, func(a, b anchor) int { return cmp.Compare(b.Watermark, a.Watermark) })
	for _, a := range usable {
		if p := t.openAnchor(ctx, a, results); p != nil {
			return p, nil
		}
	}
	return nil, nil
}

// openAnchor is the state of an anchor; nil where it is damaged or of other
// settings.
func (t *tenure) openAnchor(ctx context.Context, a anchor, results aggregate.Results) *aggregate.Partition {
	var packed []byte
	for part := range a.Parts {
		entry, err := t.checkpoints.bucket.Get(ctx, anchorKey(t.partition, a.Day)+"."+strconv.Itoa(part))
		if err != nil {
			return nil
		}
		packed = append(packed, entry.Value()...)
	}
	state, err := a.unpack(packed)
	if err != nil {
		return nil
	}
	p, err := aggregate.Decode(t.cfg.Aggregation, state, results)
	if err != nil {
		return nil
	}
	return p
}
