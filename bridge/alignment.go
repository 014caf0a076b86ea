package bridge

import (
	"crypto/rand"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// position is where in the course of a channel a message was heard: so many
// messages behind a beat, or, below zero, before it. It is 0 behind the beat
// itself.
type position struct {
	beat uint32 // ordinal
	n    int32
}

// after tells whether p was heard after q, by this bridge.
func (p position) after(q position) bool {
	return p.beat > q.beat || p.beat == q.beat && p.n > q.n
}

// alignment lets all bridges that read a channel name its messages alike, also
// those whose bytes are identical: Redis gives every subscriber the same
// messages in the same order, so where one was heard relative to a beat is the
// same for all. A beat is a message on a channel of the bridges' own.
type alignment struct {
	mu    sync.Mutex
	first uint32 // ordinal of beats[0]
	begun uint32 // ordinal of the beat with which the subscription began; 0 before
	live  uint32 // ordinal of the first beat that was not restored from a spool
	beats []beat
	names map[string]uint32
	// links tell where others heard the beats with which subscriptions began.
	links map[string]link

	last atomic.Uint64 // the position that was heard last
}

// link is where another bridge heard a beat.
type link struct {
	ordinal uint32 // of the beat
	behind  int32  // so many messages behind the beat before it
}

type beat struct {
	name string
	// count is how many messages were heard behind it before the next; -1 where
	// that is not known, as the subscription ended in between.
	count int32
	// own is up to which of them this bridge heard, where count is not known.
	own int32
	// early is how many messages this bridge heard in the same subscription before
	// the beat, if that was its first.
	early int32
	// others says that another bridge was subscribed before it, and heard it.
	others bool
}

const (
	// maxBeats is how many beats are known at most: ten days of them.
	maxBeats = 100_000
	// maxLinks is how many links are known at most: one a subscription.
	maxLinks = 1000
	// beatNameLength makes a name that no other process draws.
	beatNameLength = 10
)

// newAlignment knows no beat; the zero position is none of its.
func newAlignment() *alignment {
	return &alignment{first: 1, names: make(map[string]uint32), links: make(map[string]link)}
}

func newBeatName() string { return rand.Text()[:beatNameLength] }

// isBeatName tells whether text can be a beat's name.
func isBeatName(text string) bool {
	return len(text) == beatNameLength && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// heard notes a beat behind so many messages since the one before it in the same
// subscription, or behind -1 where none was heard in that.
func (a *alignment) heard(name string, behind int32) (ordinal uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := len(a.beats) - 1; last >= 0 {
		a.beats[last].count = behind
	}
	if len(a.beats) == maxBeats {
		delete(a.names, a.beats[0].name)
		a.beats = a.beats[1:]
		a.first++
	}
	ordinal = a.first + uint32(len(a.beats))
	a.beats = append(a.beats, beat{name: name, count: -1})
	a.names[name] = ordinal
	return ordinal
}

// left notes the last message of a subscription.
func (a *alignment) left(at position) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := len(a.beats) - 1; last >= 0 && a.first+uint32(last) == at.beat {
		a.beats[last].own = at.n
	}
}

// linked notes where another bridge heard a beat: so many messages behind the
// one that it knows before it; or, below zero and of the beat itself, so many that
// it heard before the beat with which its subscription began. To the messages that this bridge counts back from the beat, for it was not
// subscribed before, the other gives names of the one before.
func (a *alignment) linked(beat, before string, behind int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ordinal, known := a.names[beat]
	if !known {
		return
	}
	if before == beat { // it began to listen before that beat as well
		a.beats[ordinal-a.first].others = a.beats[ordinal-a.first].others || -behind > a.beats[ordinal-a.first].early
		return
	}
	a.beats[ordinal-a.first].others = true
	if o, known := a.names[before]; known && (o+1 != ordinal || a.beats[o-a.first].count >= 0) {
		return // this bridge counts from there itself
	}
	if len(a.links) >= maxLinks {
		clear(a.links) // those that are needed are young
	}
	a.links[before] = link{ordinal, behind}
}

// subscribed notes the beat with which a subscription begins, and how many
// messages came before it.
func (a *alignment) subscribed(ordinal uint32, early int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun = ordinal
	a.beats[ordinal-a.first].early = early
}

// subscription is the beat with which the last subscription began; 0 before.
func (a *alignment) subscription() uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.begun
}

// joined tells whether another bridge was subscribed already when this one
// subscribed with a beat.
func (a *alignment) joined(ordinal uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return ordinal >= a.first && ordinal-a.first < uint32(len(a.beats)) && a.beats[ordinal-a.first].others
}

// restored notes the beat of a message of an earlier life, which this one spooled.
func (a *alignment) restored(id string) {
	name, n, ok := splitID(id)
	if !ok {
		return
	}
	a.mu.Lock()
	ordinal, known := a.names[name]
	a.mu.Unlock()
	if !known {
		ordinal = a.heard(name, -1)
	}
	a.left(position{beat: ordinal, n: n})
}

// begin tells that all that was to be restored is.
func (a *alignment) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live = a.first + uint32(len(a.beats))
	a.reached(position{beat: a.live - 1, n: math.MaxInt32})
}

// reached notes the position that was heard last.
func (a *alignment) reached(p position) { a.last.Store(uint64(p.beat)<<32 | uint64(uint32(p.n))) }

// heardLast is that position.
func (a *alignment) heardLast() position {
	last := a.last.Load()
	return position{beat: uint32(last >> 32), n: int32(uint32(last))}
}

// isLive tells whether a position is one that this process heard.
func (a *alignment) isLive(p position) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p != (position{}) && p.beat >= a.live
}

// id is a position as a message id; empty if its beat is long past.
func (a *alignment) id(p position) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.beat < a.first || p.beat-a.first >= uint32(len(a.beats)) {
		return ""
	}
	id := append(make([]byte, 0, 32), a.beats[p.beat-a.first].name...)
	if p.n >= 0 {
		id = append(id, '.')
	}
	return string(strconv.AppendInt(id, int64(p.n), 36))
}

// locate is the position that an id names, whoever gave it; the zero position
// where it does not name one that this bridge knows.
func (a *alignment) locate(id string) position {
	name, n, ok := splitID(id)
	if !ok {
		return position{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	ordinal, known := a.names[name]
	if l, ok := a.links[name]; ok && l.ordinal >= a.first && n > 0 && n <= l.behind && (!known || n > a.beats[ordinal-a.first].own) {
		ordinal, n = l.ordinal, n-l.behind-1
		known = -n <= a.beats[ordinal-a.first].early // else it was not subscribed yet
	}
	if !known {
		return position{}
	}
	if n < 0 && ordinal > a.first {
		// Who was subscribed before the beat counted from the one before it.
		if before := a.beats[ordinal-1-a.first]; before.count >= -n {
			return position{beat: ordinal - 1, n: before.count + 1 + n}
		}
	}
	return position{beat: ordinal, n: n}
}

// own is the id of a tick, whoever gave it, as this bridge gives it; the id
// itself where it names none that this one knows.
func (a *alignment) own(id string) string {
	if isMarkID(id) {
		return id
	}
	if own := a.id(a.locate(id)); own != "" {
		return own
	}
	return id
}

// markID is the id of a partition's clock mark at the position that at names;
// there may be many at one.
func markID(at string, watermark time.Time, partition int) string {
	return at + "." + strconv.FormatInt(watermark.UnixMilli(), 36) + "." + strconv.Itoa(partition)
}

// isMarkID tells a mark's id from that of the message before it.
func isMarkID(id string) bool {
	return len(id) > beatNameLength && strings.Contains(id[beatNameLength+1:], ".")
}

// splitID takes an id of a position apart; what follows a second dot is the
// number of a mark.
func splitID(id string) (name string, n int32, ok bool) {
	if len(id) < beatNameLength+2 || !isBeatName(id[:beatNameLength]) {
		return "", 0, false
	}
	name, rest := id[:beatNameLength], id[beatNameLength:]
	switch rest[0] {
	case '.':
		rest = rest[1:]
	case '-':
	default:
		return "", 0, false
	}
	rest, _, _ = strings.Cut(rest, ".")
	number, err := strconv.ParseInt(rest, 36, 32)
	return name, int32(number), err == nil
}
