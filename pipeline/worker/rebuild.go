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

// storedAhead is how long before the event time of its bar a result may have
// been stored, by clocks that differ and ticks from the future.
const storedAhead = 10 * time.Minute

// recoverState makes the state where there is no usable checkpoint.
func (t *tenure) recoverState(ctx context.Context, info *jetstream.StreamInfo) error {
	if t.publishedUpTo() > 0 {
		t.log.Info("making the state anew from the streams", "partition", t.partition)
		_, err := t.remake(ctx, time.Time{}, info)
		return err
	}
	// Nothing of this TICKS is published yet.
	var err error
	if t.aggregator, err = aggregate.New(t.cfg.Aggregation, t.results); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	history, err := t.readBars(ctx)
	if err != nil {
		return err
	}
	if len(history) > 0 {
		// Bars are there, and TICKS was made anew: what is published stays.
		from := history.newest()
		t.log.Warn("TICKS is another one than the bars are of: going on behind them; earlier ticks are refused as too late",
			"partition", t.partition, "from", from)
		t.aggregator.Seed(history.before(from), from)
	}
	return nil
}

// rebuild does what was asked by [Worker.Rebuild], and notes that it is done.
func (t *tenure) rebuild(ctx context.Context, from time.Time, info *jetstream.StreamInfo) error {
	t.log.Info("rebuilding", "partition", t.partition, "from", from)
	done, err := t.remake(ctx, from, info)
	if err != nil {
		return fmt.Errorf("rebuild from %s: %w", from.Format(time.RFC3339), err)
	}
	done.From = t.checkpoints.manifest.Rebuild
	t.checkpoints.manifest.Rebuild, t.checkpoints.manifest.Rebuilt = 0, done
	if err := t.save(ctx); err != nil {
		return err
	}
	t.log.Info("rebuilt", "partition", t.partition, "from", from, "bars", done.Bars, "signals", done.Signals)
	return nil
}

// publishedUpTo is the sequence of TICKS up to which there may be results.
func (t *tenure) publishedUpTo() uint64 {
	var sequence uint64
	for _, o := range t.outboxes() {
		sequence = max(sequence, o.stored.sequence)
	}
	return sequence
}

// remake computes again what is published from the time from on, compares, and
// publishes what differs as revisions. The state is then where the results are.
func (t *tenure) remake(ctx context.Context, from time.Time, info *jetstream.StreamInfo) (*rebuilt, error) {
	compared := newLedger()
	t.results.ledger = compared
	// Nothing is handed to the publishers before it is known what is there.
	handOn := t.results.barsDone
	t.results.barsDone = func() {}
	defer func() { t.results.ledger, t.results.barsDone = nil, handOn }()
	from, begin, err := t.stateBefore(ctx, from, info)
	if err != nil {
		return nil, err
	}
	kept, known := map[string]time.Time{}, t.correctable(from)
	for _, name := range []string{stream.Bars, stream.Signals} {
		if kept[name], err = t.readPublished(ctx, name, known, compared); err != nil {
			return nil, err
		}
	}
	if err := t.replay(ctx, t.publishedUpTo()); err != nil {
		return nil, err
	}
	done := &rebuilt{}
	var bars, signals []result
	for _, d := range compared.differences(from, begin, kept[stream.Bars], kept[stream.Signals]) {
		r := resultOf(d)
		if d.key.kind == kindBar {
			bars = append(bars, r)
		} else {
			signals = append(signals, r)
		}
	}
	done.Bars, done.Signals = int64(len(bars)), int64(len(signals))
	if err := t.results.bars.revise(ctx, bars); err != nil {
		return nil, err
	}
	if err := t.results.signals.revise(ctx, signals); err != nil {
		return nil, err
	}
	for _, o := range []*outbox{t.results.bars, t.results.signals} {
		compared.renumber(o.pending)
	}
	t.aggregator.Revise(compared.revisions())
	return done, nil
}

// correctable is from, or an earlier time from which on bars may still be
// corrected after the replay that begins now: the next revision of these must
// follow what is published of them, made again or not.
func (t *tenure) correctable(from time.Time) time.Time {
	begins := t.aggregator.Watermark()
	if begins.IsZero() { // what is replayed is all that there is
		return time.Time{}
	}
	if oldest := begins.Add(-t.aggregator.MaxAge()); oldest.Before(from) {
		return oldest
	}
	return from
}

func resultOf(d difference) result {
	k := d.key
	if k.kind == kindBar {
		return result{subject: stream.BarSubject(k.timeframe, k.symbol), data: d.data}
	}
	return result{subject: stream.SignalSubject(k.kind, stream.PatternToken(k.name), k.symbol), data: d.data}
}

// stateBefore sets the aggregator to a state before which nothing from the time
// from on is computed, and returns the time from which it can be: a day's stored
// state, the beginning of TICKS where that still is there, or the bars before.
// These last tell of a longer bar that from divides all but its exact average
// price, so then nothing is made again that begins before begin.
func (t *tenure) stateBefore(ctx context.Context, from time.Time, info *jetstream.StreamInfo) (_, begin time.Time, err error) {
	if t.aggregator, err = t.anchorBefore(ctx, from, info.State.FirstSeq, t.results); err != nil || t.aggregator != nil {
		return from, begin, err
	}
	if t.aggregator, err = aggregate.New(t.cfg.Aggregation, t.results); err != nil {
		return from, begin, fmt.Errorf("begin: %w", err)
	}
	if info.State.FirstSeq <= 1 {
		return from, begin, nil
	}
	history, err := t.readBars(ctx)
	if err != nil {
		return from, begin, err
	}
	if from.IsZero() {
		from = history.newest().Add(-t.aggregator.MaxAge())
	}
	from = from.Truncate(time.Minute)
	if kept := history.wholeFrom(info.State.FirstSeq); kept.After(from) {
		from = kept
	}
	first := history.firstSequence(from)
	if first == 0 {
		first = t.publishedUpTo() + 1
	}
	t.log.Info("the ticks before have left the stream, beginning from the bars", "partition", t.partition, "from", from)
	t.aggregator.Seed(history.before(from), from)
	t.aggregator.Skip(first - 1)
	return from, from, nil
}

// replay takes the partition's messages up to the sequence end.
func (t *tenure) replay(ctx context.Context, end uint64) error {
	if t.aggregator.Sequence() >= end {
		return nil
	}
	consumer, err := placeConsumer(ctx, t.js, t.partition, t.aggregator.Sequence())
	if err != nil {
		return err
	}
	in, err := openInput(consumer, t.aggregator.Sequence())
	if err != nil {
		return err
	}
	defer in.close()
	for more := in.pending > 0; more && t.aggregator.Sequence() < end; {
		msg, err := in.next(ctx)
		if errors.Is(err, errQuiet) {
			continue
		}
		if err != nil {
			return err
		}
		if msg.sequence > end {
			break
		}
		t.take(&msg)
		in.pending--
		more = in.pending > 0
	}
	return t.handErr
}
