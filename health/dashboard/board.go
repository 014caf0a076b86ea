package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// The topics of the board, which are the names of the events that pages get.
const (
	topicState   = "state"   // how the system is; the newest holds
	topicStock   = "stock"   // what the streams hold; the newest holds
	topicReplay  = "replay"  // the replay; the newest holds
	topicPoints  = "points"  // for the charts; a list
	topicEntries = "entries" // of the feed; a list
)

// kept is how many of a list's items the board keeps: an hour of events every
// 5 s with room for changes, and what a person may scroll through.
var kept = map[string]int{topicPoints: 1000, topicEntries: 200}

// board holds what pages are shown. Each change has a number, and a page that
// knows the number of what it saw last gets all that changed since, at once and
// without what was replaced meanwhile. So a page has no queue: one that is slow,
// or was away for a while, skips what is no longer true.
type board struct {
	epoch string // tells the numbers of this process from another's

	mu      sync.Mutex
	number  uint64
	newest  map[string]item
	lists   map[string][]item // by the moment that an item is of
	changed chan struct{}     // closed at the next change
	closed  bool
}

type item struct {
	number uint64
	at     int64 // of list items
	data   json.RawMessage
}

// frame is one event of those that a page gets.
type frame struct {
	topic string
	data  []byte
}

func newBoard() *board {
	return &board{
		epoch:   uuid.NewString()[:8],
		newest:  map[string]item{},
		lists:   map[string][]item{},
		changed: make(chan struct{}),
	}
}

// show replaces what a topic has. What cannot be encoded is a programming error
// that shows on the page as the topic's absence.
func (b *board) show(topic string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest[topic] = item{number: b.next(), data: data}
}

// add puts an item into a topic's list, in its place by the moment that it is
// of, and drops the oldest beyond the list's bound. An item that is there
// already is left out.
func (b *board) add(topic string, at int64, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.lists[topic]
	place := len(list)
	for place > 0 && list[place-1].at > at {
		place--
	}
	for i := place; i > 0 && list[i-1].at == at; i-- {
		if bytes.Equal(list[i-1].data, data) {
			return
		}
	}
	list = slices.Insert(list, place, item{number: b.next(), at: at, data: data})
	b.lists[topic] = list[max(0, len(list)-kept[topic]):]
}

// next is the number of a change; the lock is held.
func (b *board) next() uint64 {
	b.number++
	if !b.closed {
		close(b.changed)
		b.changed = make(chan struct{})
	}
	return b.number
}

// since returns what changed after a number, the number of now, and a channel
// that is closed at the next change.
func (b *board) since(number uint64) ([]frame, uint64, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var frames []frame
	for _, topic := range []string{topicState, topicPoints, topicEntries, topicStock, topicReplay} {
		if newest, ok := b.newest[topic]; ok && newest.number > number {
			frames = append(frames, frame{topic, newest.data})
		}
		var fresh []json.RawMessage
		for _, i := range b.lists[topic] {
			if i.number > number {
				fresh = append(fresh, i.data)
			}
		}
		if len(fresh) > 0 {
			data, err := json.Marshal(fresh)
			if err == nil { // it was valid when it was added
				frames = append(frames, frame{topic, data})
			}
		}
	}
	return frames, b.number, b.changed
}

// id is the number as pages keep it.
func (b *board) id(number uint64) string { return fmt.Sprintf("%s-%d", b.epoch, number) }

// resume is the number that an id stands for; 0, which is from the beginning,
// for one of another process or for none.
func (b *board) resume(id string) uint64 {
	epoch, digits, _ := strings.Cut(id, "-")
	number, err := strconv.ParseUint(digits, 10, 64)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil || epoch != b.epoch || number > b.number {
		return 0
	}
	return number
}

// close lets all pages go.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.changed)
	}
}

// over tells that the board is closed.
func (b *board) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}
