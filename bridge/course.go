package bridge

import (
	"context"
	"strconv"
	"strings"
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

// sendBeats sends one at once and then at each interval, and between them what
// the course has to say to the other bridges, until closed is closed or ctx ends.
func (p *pubsub) sendBeats(ctx context.Context, c *course, closed <-chan struct{}) {
	send := func(text string) error {
		sending, cancel := context.WithTimeout(ctx, beatTimeout)
		defer cancel()
		return p.client.Publish(sending, beatChannel(p.cfg.Channel), text).Err() //nolint:wrapcheck // logged below
	}
	wait := newBackoff()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-closed:
			return
		case text := <-c.links:
			err = send(text)
		case <-due.C:
			next := beatInterval
			if err = send(newBeatName()); err != nil {
				next = wait.NextBackOff()
			}
			due.Reset(next)
		}
		if err != nil {
			p.log.Debug("beat not sent", "err", err)
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
	last  string // beat
	// links are what to tell the other bridges: where this one heard a beat. One
	// of them may have begun to listen with it, or a little before it as this one.
	links chan string
}

func newCourse(names *alignment, into *backlog) *course {
	return &course{names: names, into: into, began: time.Now(), links: make(chan string, 8)}
}

// linkMark stands between a beat and the place where another bridge heard it.
const linkMark = "="

// beat takes a beat in its place, or where another bridge heard one. What is
// neither is left alone.
func (c *course) beat(name string) {
	if beat, id, ok := strings.Cut(name, linkMark); ok {
		if before, behind, ok := splitID(id); ok {
			c.names.linked(beat, before, behind)
		}
		return
	}
	if !isBeatName(name) {
		return
	}
	count, where := int32(-1), name+strconv.FormatInt(int64(-c.ticksBefore()), 36)
	if c.beats > 0 {
		count = c.at.n
		where = c.last + "." + strconv.FormatInt(int64(count), 36)
	}
	if c.beats > 0 || len(c.early) > 0 {
		select {
		case c.links <- name + linkMark + where:
		default: // more beats than can be told of: they come from somebody else
		}
	}
	c.last = name
	c.at = position{beat: c.names.heard(name, count)}
	c.names.reached(c.at)
	if c.beats++; c.beats == 1 {
		c.names.subscribed(c.at.beat, c.ticksBefore())
	}
	c.place()
}

// ticksBefore counts what came before the first beat.
func (c *course) ticksBefore() (n int32) {
	for i := range c.early {
		if c.early[i].isTick() {
			n++
		}
	}
	return n
}

// place puts in what came before the first beat: it is placed from behind.
func (c *course) place() {
	behind := c.ticksBefore()
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
	c.names.left(c.at)
}
