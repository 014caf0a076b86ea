package bridge

import (
	"context"
	"time"
)

const (
	// burstDepth is how many messages must wait before a burst is given way.
	burstDepth = 5_000
	// burstRate is how many a second must come in, and burstFactor how much
	// faster than we publish.
	burstRate   = 100_000
	burstFactor = 1.5
	burstLook   = 10 * time.Millisecond
	// burstLimit bounds how long one burst is given way.
	burstLimit = 10 * time.Second
)

// giveWay lets a burst come in before publishing goes on. Redis disconnects a
// subscriber that is behind by more than its output buffer, and a publisher
// that takes the processor from the reader at such a time loses ticks for both.
// It ends once less comes in than could be published, or memory gets short.
func (p *publisher) giveWay(ctx context.Context) {
	if !p.inBurst() {
		return
	}
	look := time.NewTicker(burstLook)
	defer look.Stop()
	before, since, end := p.queue.taken(), time.Now(), time.Now().Add(burstLimit)
	for time.Now().Before(end) && p.inBurst() {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now, total := time.Now(), p.queue.taken()
		rate := float64(total-before) / now.Sub(since).Seconds()
		if rate < max(burstRate, burstFactor*p.rate) {
			return
		}
		before, since = total, now
	}
}

// inBurst is whether much waits and there is still room for more.
func (p *publisher) inBurst() bool {
	ticks, bytes, _ := p.queue.depth()
	return ticks > burstDepth && bytes < p.queue.maxBytes/4*3
}

// measure keeps the rate at which batches are stored, in messages a second.
func (p *publisher) measure(messages int, took time.Duration) {
	const weight = 0.1
	rate := float64(messages) / max(took, time.Microsecond).Seconds()
	if p.rate == 0 {
		p.rate = rate
	}
	p.rate += weight * (rate - p.rate)
}
