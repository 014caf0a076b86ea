package bridge

import (
	"context"
	"time"
)

const (
	// beatInterval is how often a bridge sends a beat. One is enough to place
	// all that follows it; more make up for one that did not come.
	beatInterval = 10 * time.Second
	// beatTimeout is how long the messages of a new subscription wait for the
	// first beat, which the bridge itself sends.
	beatTimeout = time.Second
	// maxBehind is how many messages are counted behind one beat.
	maxBehind = 1 << 30
)

// beatChannel is where the bridges of a channel send beats.
func beatChannel(channel string) string { return "tickstream:beat:" + channel }

// sendBeats sends one at once and then at each interval, until closed is closed
// or ctx ends.
func (p *pubsub) sendBeats(ctx context.Context, closed <-chan struct{}) {
	wait := newBackoff()
	for {
		next := beatInterval
		sending, cancel := context.WithTimeout(ctx, beatTimeout)
		err := p.client.Publish(sending, beatChannel(p.cfg.Channel), newBeatName()).Err()
		cancel()
		if err != nil {
			next = wait.NextBackOff()
			p.log.Debug("beat not sent", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-closed:
			return
		case <-time.After(next):
		}
	}
}

// course places what one subscription says, and puts it into the backlog.
type course struct {
	names *alignment
	into  *backlog
	began time.Time
	at    position  // of the last message
	early []message // what came before the first beat
	beats int
}

func newCourse(names *alignment, into *backlog) *course {
	return &course{names: names, into: into, began: time.Now()}
}

// beat takes a beat in its place. What is none is left alone.
func (c *course) beat(name string) {
	if !isBeatName(name) {
		return
	}
	count := int32(-1)
	if c.beats > 0 {
		count = c.at.n
	}
	c.beats++
	c.at = position{beat: c.names.heard(name, count)}
	c.names.reached(c.at)
	c.place()
}

// place puts in what came before the first beat: it is placed from behind.
func (c *course) place() {
	behind := int32(0)
	for i := range c.early {
		if c.early[i].isTick() {
			behind++
		}
	}
	for i := range c.early {
		c.early[i].at = position{beat: c.at.beat, n: -behind - 1}
		if c.early[i].isTick() {
			c.early[i].at.n = -behind
			behind--
		}
		c.into.put(c.early[i])
	}
	c.early = nil
}

// add takes a message in its place.
func (c *course) add(m message) {
	if c.beats == 0 {
		c.early = append(c.early, m)
		if time.Since(c.began) > beatTimeout {
			// Nobody else knows this beat, so no other bridge can tell what of
			// this one's is stored; by itself it can.
			c.beat(newBeatName())
		}
		return
	}
	if m.isTick() {
		if c.at.n == maxBehind {
			c.beat(newBeatName()) // beats do not come
		}
		c.at.n++
		c.names.reached(c.at)
	}
	m.at = c.at
	c.into.put(m)
}

// end puts in what still waits for a beat.
func (c *course) end() {
	if len(c.early) > 0 {
		c.beat(newBeatName())
	}
}
