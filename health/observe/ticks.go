package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

const marksRead = 1000

// sample is the last sequence of TICKS at one moment of the server's.
type sample struct {
	at  time.Time
	seq uint64
}

// tickMeter counts ticks by the sequences of TICKS, which age, purge and
// deletion do not change, less the clock marks in between.
type tickMeter struct {
	rateWindow, errorWindow time.Duration
	decoder                 *tick.Decoder

	created   time.Time     // of the stream that was sampled
	samples   []sample      // the first is at or before the start of either window
	marks     []uint64      // sequences of the clock marks since the first sample
	silent    bool          // no tick was in the rate window
	flowSince time.Time     // when ticks began after a rate window without any
	newest    time.Time     // when the newest tick was stored
	usual     time.Duration // from event to storage of the newest tick, outside of a backlog
	backlog   *backlog      // the last one that the rate must be kept clear of
}

func (t *tickMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	if m.info == nil {
		*t = tickMeter{rateWindow: t.rateWindow, errorWindow: t.errorWindow, decoder: t.decoder, newest: t.newest}
		facts.TicksInErrorWindow = 0
		return nil
	}
	next := *t
	next.samples, next.marks = slices.Clone(t.samples), slices.Clone(t.marks)
	advance := next.extend
	if next.outdated(m) {
		advance = next.prime
	}
	if err := advance(ctx, m); err != nil {
		return err
	}
	next.forget(m.server)
	*t = next

	inErrors, _ := t.since(m.server.Add(-t.errorWindow))
	facts.TicksInErrorWindow = int64(inErrors)
	if !t.newest.IsZero() {
		facts.LastTickAt = m.toLocal(t.newest)
	}
	return nil
}

// outdated tells that the samples do not lead up to now: there are none, they
// are of another stream, or the time since would blur the rate.
func (t *tickMeter) outdated(m *moment) bool {
	if len(t.samples) == 0 || !t.created.Equal(m.info.Created) {
		return true
	}
	last := t.samples[len(t.samples)-1]
	return m.info.State.LastSeq < last.seq || m.server.Before(last.at) || m.server.Sub(last.at) > t.rateWindow/2
}

// prime makes the samples that there would be had the meter run all the time.
func (t *tickMeter) prime(ctx context.Context, m *moment) error {
	last := m.info.State.LastSeq
	var before *sample // the last one, if it is of this stream
	if n := len(t.samples); n > 0 && t.created.Equal(m.info.Created) && t.samples[n-1].seq <= last {
		before = &t.samples[n-1]
	}
	t.created, t.samples, t.marks, t.backlog = m.info.Created, nil, nil, nil
	starts := []time.Duration{t.rateWindow, t.errorWindow}
	slices.SortFunc(starts, func(a, b time.Duration) int { return int(b - a) })
	for _, back := range starts {
		at := m.server.Add(-back)
		seq, err := lastBefore(ctx, m.js, stream.Ticks, at, last)
		if err != nil {
			return err
		}
		t.samples = append(t.samples, sample{at, seq})
	}
	t.samples = append(t.samples, sample{m.server, last})
	from := t.samples[0].seq
	if before != nil {
		from = min(from, before.seq)
	}
	if err := t.readMarks(ctx, m.js, from+1, last); err != nil {
		return err
	}
	newest, err := m.ticks.GetLastMsgForSubject(ctx, stream.AllTicks)
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("read the newest tick: %w", err)
	}
	if err := t.primeFlow(ctx, m, before, newest); err != nil {
		return err
	}
	t.saw(newest, m.server)
	return nil
}

// primeFlow finds when the ticks of the window began, and whether they are of a
// backlog; before is the sample that was taken before them, if one was.
func (t *tickMeter) primeFlow(ctx context.Context, m *moment, before *sample, newest *jetstream.RawStreamMsg) error {
	windowStart := m.server.Add(-t.rateWindow)
	n, _ := t.since(windowStart)
	t.silent, t.flowSince = n == 0, time.Time{}
	if t.silent {
		return nil
	}
	began, err := first(ctx, m.js, stream.Ticks,
		jetstreamext.GetBatchStartTime(windowStart.Add(-t.rateWindow)), jetstreamext.GetBatchSubject(stream.AllTicks))
	if err != nil || began == nil {
		return err
	}
	if !began.Time.Before(windowStart) {
		t.flowSince = began.Time
	}
	if before == nil {
		// What is usual is not known. Where the newest is late as well, that may be.
		if t.usual = 0; newest != nil && t.lateness(newest) <= holdUp {
			t.heldUp(began, began.Sequence-1, began.Time.Add(-t.lateness(began)))
		}
		return nil
	}
	if t.between(before.seq, m.info.State.LastSeq) == 0 {
		return nil
	}
	if began, err = t.tickFrom(ctx, m.js, before.seq+1); err == nil {
		t.heldUp(began, before.seq, t.newest)
	}
	return err
}

// extend adds the sample of now.
func (t *tickMeter) extend(ctx context.Context, m *moment) error {
	before, now := t.samples[len(t.samples)-1], sample{m.server, m.info.State.LastSeq}
	t.samples = append(t.samples, now)
	// A replica that answers may be a little behind, so the marks of the last
	// samples are read once more.
	if err := t.readMarks(ctx, m.js, t.samples[max(0, len(t.samples)-4)].seq+1, now.seq); err != nil {
		return err
	}
	if t.between(before.seq, now.seq) > 0 {
		if t.silent || before.at.Sub(t.newest) >= holdUp {
			began, err := t.tickFrom(ctx, m.js, before.seq+1)
			if err != nil {
				return err
			}
			if t.silent && began != nil {
				t.flowSince = began.Time
			}
			t.heldUp(began, before.seq, t.newest)
		}
		newest, err := t.tickFrom(ctx, m.js, t.lastTick(now.seq))
		if err != nil {
			return err
		}
		t.saw(newest, now.at)
	}
	n, _ := t.since(m.server.Add(-t.rateWindow))
	t.silent = n == 0
	return nil
}

// tickFrom is the first tick at or after seq; nil if it is there no more.
func (t *tickMeter) tickFrom(ctx context.Context, js jetstream.JetStream, seq uint64) (*jetstream.RawStreamMsg, error) {
	return first(ctx, js, stream.Ticks, jetstreamext.GetBatchSeq(seq), jetstreamext.GetBatchSubject(stream.AllTicks))
}

// saw takes the newest tick, nil if it is there no more, as it is at now.
func (t *tickMeter) saw(newest *jetstream.RawStreamMsg, now time.Time) {
	if newest == nil {
		return
	}
	t.newest = latest(t.newest, newest.Time)
	late := t.lateness(newest)
	switch b := t.backlog; {
	case b == nil || !b.until.IsZero():
		t.usual = late
	case late <= t.usual+holdUp || now.Sub(b.since) > longestBacklog:
		b.until = now
	}
}

// readMarks replaces the marks from a sequence on by what is stored up to last.
func (t *tickMeter) readMarks(ctx context.Context, js jetstream.JetStream, from, last uint64) error {
	t.marks = t.marks[:t.marksUpTo(from-1)]
	for from <= last {
		msgs, err := stream.Read(ctx, js, stream.Ticks, marksRead, jetstreamext.GetBatchSeq(from), jetstreamext.GetBatchSubject(stream.AllClockMarks))
		if err != nil {
			return fmt.Errorf("read clock marks: %w", err)
		}
		for _, msg := range msgs {
			if msg.Sequence <= last {
				t.marks = append(t.marks, msg.Sequence)
			}
			from = msg.Sequence + 1
		}
		if len(msgs) < marksRead {
			return nil
		}
	}
	return nil
}

func (t *tickMeter) marksUpTo(seq uint64) int {
	return sort.Search(len(t.marks), func(i int) bool { return t.marks[i] > seq })
}

// between counts the ticks after one sequence up to another.
func (t *tickMeter) between(seq, to uint64) uint64 {
	return to - seq - uint64(t.marksUpTo(to)-t.marksUpTo(seq))
}

// lastTick is the last sequence up to seq that is no mark.
func (t *tickMeter) lastTick(seq uint64) uint64 {
	for i := t.marksUpTo(seq); i > 0 && t.marks[i-1] == seq; i-- {
		seq--
	}
	return seq
}

// since counts the ticks since the newest sample at or before start, and tells
// for how long that is.
func (t *tickMeter) since(start time.Time) (uint64, time.Duration) {
	now, from := t.samples[len(t.samples)-1], t.samples[t.base(start)]
	return t.between(from.seq, now.seq), now.at.Sub(from.at)
}

// base is the newest sample at or before start, or the first.
func (t *tickMeter) base(start time.Time) int {
	return max(0, sort.Search(len(t.samples), func(i int) bool { return t.samples[i].at.After(start) })-1)
}

// forget drops what is before both windows.
func (t *tickMeter) forget(now time.Time) {
	t.samples = t.samples[t.base(now.Add(-max(t.rateWindow, t.errorWindow))):]
	oldest := t.samples[0].seq
	if b := t.backlog; b != nil {
		if b.over(now.Add(-t.rateWindow)) {
			t.backlog = nil
		} else {
			oldest = min(oldest, b.seq)
		}
	}
	t.marks = t.marks[t.marksUpTo(oldest):]
}
