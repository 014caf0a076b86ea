package observe

import (
	"slices"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/tick"
)

const (
	// shortestRate keeps the first ticks of a feed from being called a storm.
	shortestRate = time.Second
	// shortestCut is how long a window that was cut must be to tell a rate.
	shortestCut = 2 * time.Second
	// holdUp is a pause, and a lateness after it, that together tell a backlog
	// from a feed that paused.
	holdUp = 2 * time.Second
	// longestBacklog is when what is late counts as usual.
	longestBacklog = 10 * time.Minute
)

// backlog is ticks that came while JetStream took none and that were stored all
// at once. Times are the server's.
type backlog struct {
	seq   uint64    // before its first tick
	since time.Time // when that would have been stored
	until time.Time // when what was stored was new again; zero before that
}

// over tells that the backlog is before a window that begins at start.
func (b *backlog) over(start time.Time) bool { return !b.until.IsZero() && start.After(b.until) }

// heldUp takes the first tick after a pause since a time, which may be the first
// of a backlog; seq is the sequence before it.
func (t *tickMeter) heldUp(began *jetstream.RawStreamMsg, seq uint64, since time.Time) {
	if began == nil {
		return
	}
	pause, late := began.Time.Sub(since), t.lateness(began)
	// What is later than the pause is of another day, such as a replay.
	if pause >= holdUp && late > t.usual+holdUp && late <= t.usual+pause+holdUp {
		t.backlog = &backlog{seq: seq, since: since}
	}
}

// lateness is from event to storage of a tick; 0 where it does not say.
func (t *tickMeter) lateness(msg *jetstream.RawStreamMsg) time.Duration {
	var decoded tick.Tick
	if t.decoder.Decode(msg.Data, msg.Time, &decoded) != nil {
		return 0
	}
	return max(0, msg.Time.Sub(decoded.Time()))
}

// rate is over the window, or over the time since ticks began after a window
// without any, so that a new feed shows its true rate. Nor does it count what
// is no rate of now: the time before began, when nobody was there to store
// ticks, and a backlog.
func (t *tickMeter) rate(began time.Time) float64 {
	if len(t.samples) == 0 {
		return 0
	}
	now := t.samples[len(t.samples)-1]
	start := now.at.Add(-t.rateWindow)
	if t.backlog != nil {
		began = latest(began, t.backlog.until)
	}
	if began.After(start) {
		i := sort.Search(len(t.samples)-1, func(i int) bool { return !t.samples[i].at.Before(began) })
		if from := t.samples[i]; now.at.Sub(from.at) >= shortestCut {
			return float64(t.between(from.seq, now.seq)) / now.at.Sub(from.at).Seconds()
		}
	}
	n, elapsed := t.since(start)
	switch b := t.backlog; {
	case b != nil && !b.over(start):
		n, elapsed = t.between(b.seq, now.seq), now.at.Sub(b.since)
	case !t.flowSince.IsZero():
		elapsed = min(elapsed, now.at.Sub(t.flowSince))
	}
	return float64(n) / max(elapsed, shortestRate).Seconds()
}

// beganAt is when the bridge last began to store what is published: when it was
// started, or when a gap ended. Zero if that is not known.
func beganAt(f Facts) time.Time {
	began := f.GapEndedAt
	for _, r := range f.Components {
		if r.Role == presence.RoleBridge && r.Bridge != nil && r.Bridge.State != presence.StateStandby {
			began = latest(began, r.StartedAt)
		}
	}
	return began
}

// latest is the latest of some times.
func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, func(a, b time.Time) int { return a.Compare(b) })
}
