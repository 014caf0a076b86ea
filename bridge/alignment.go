package bridge

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
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
	live  uint32 // ordinal of the first beat that was not restored from a spool
	beats []beat
	names map[string]uint32
}

type beat struct {
	name string
	// count is how many messages were heard behind it before the next; -1 where
	// that is not known, as the subscription ended in between.
	count int32
}

const (
	// maxBeats is how many beats are known at most: ten days of them.
	maxBeats = 100_000
	// beatNameLength makes a name that no other process draws.
	beatNameLength = 10
)

// newAlignment knows no beat; the zero position is none of its.
func newAlignment() *alignment { return &alignment{first: 1, names: make(map[string]uint32)} }

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

// restored notes the beat of a message of an earlier life, which this one spooled.
func (a *alignment) restored(id string) {
	name, _, ok := splitID(id)
	if !ok {
		return
	}
	a.mu.Lock()
	_, known := a.names[name]
	a.mu.Unlock()
	if !known {
		a.heard(name, -1)
	}
}

// begin tells that all that was to be restored is.
func (a *alignment) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.live = a.first + uint32(len(a.beats))
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
