package trial

import (
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// closes finds out when each bar could close at the earliest, and when it and
// its signals were stored. Times of storing are the server's.
type closes struct {
	lateness   time.Duration
	partitions map[int]*course
	of         map[string]int // partition of a symbol
	bars       map[barKey]*closing
}

// course is how the watermark of a partition went.
type course struct {
	watermark time.Time
	passed    map[time.Time]time.Time // when it passed the end of a minute
}

type barKey struct {
	symbol string
	end    time.Time
}

type closing struct {
	lastTick      time.Time // when the last tick of it was sent
	bar, lastSign time.Time
}

func newCloses(lateness time.Duration) *closes {
	return &closes{lateness: lateness, partitions: map[int]*course{}, of: map[string]int{}, bars: map[barKey]*closing{}}
}

func (c *closes) closing(symbol string, end time.Time) *closing {
	k := barKey{symbol, end.UTC()}
	if c.bars[k] == nil {
		c.bars[k] = &closing{}
	}
	return c.bars[k]
}

// tick takes a tick of TICKS, in the order of the stream.
func (c *closes) tick(partition int, symbol string, at, sent, stored time.Time) {
	c.of[symbol] = partition
	c.closing(symbol, at.Truncate(time.Minute).Add(time.Minute)).lastTick = sent
	c.advance(partition, at.Add(-c.lateness), stored)
}

// mark takes a clock mark of TICKS, in the order of the stream.
func (c *closes) mark(partition int, at, stored time.Time) { c.advance(partition, at, stored) }

func (c *closes) advance(partition int, to, stored time.Time) {
	p := c.partitions[partition]
	if p == nil {
		p = &course{watermark: to, passed: map[time.Time]time.Time{}}
		c.partitions[partition] = p
	}
	for end := p.watermark.Truncate(time.Minute).Add(time.Minute); !end.After(to); end = end.Add(time.Minute) {
		p.passed[end.UTC()] = stored
	}
	if to.After(p.watermark) {
		p.watermark = to
	}
}

// stored takes a bar of one minute, or a signal on one.
func (c *closes) stored(symbol string, end, at time.Time, signal bool) {
	b := c.closing(symbol, end)
	switch {
	case !signal && b.bar.IsZero():
		b.bar = at
	case signal && at.After(b.lastSign):
		b.lastSign = at
	}
}

// closeDelays are those of all bars whose end the watermark has passed.
type closeDelays struct {
	bar, signals figure.Delays // from when the bar could close
	fromTick     figure.Delays // from its last tick on Redis to the bar
	missing      int           // bars that could close and are not there
}

func (c *closes) delays() closeDelays {
	var d closeDelays
	for k, b := range c.bars {
		partition := c.partitions[c.of[k.symbol]]
		if partition == nil {
			continue
		}
		from, passed := partition.passed[k.end]
		if !passed {
			continue
		}
		if b.bar.IsZero() {
			d.missing++
			continue
		}
		d.bar = append(d.bar, b.bar.Sub(from))
		d.fromTick = append(d.fromTick, b.bar.Sub(b.lastTick))
		if !b.lastSign.IsZero() {
			d.signals = append(d.signals, b.lastSign.Sub(from))
		}
	}
	return d
}
