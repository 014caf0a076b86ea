package bridge

import (
	"context"
	"errors"
	"sync"
)

// errQueueClosed is returned by take once the queue is closed and empty.
var errQueueClosed = errors.New("queue closed")

const chunkLength = 4096

// queue is a bounded FIFO of messages in memory, between one reader that must
// never wait and one publisher that may. It grows by chunks, so that a burst
// copies nothing.
type queue struct {
	mu       sync.Mutex
	chunks   [][]message // all but the last are full
	head     int         // index of the first message in chunks[0]
	bytes    int64
	maxBytes int64
	count    int64
	ticks    int64
	shed     int64
	term     int64 // in which is read what is put
	inHand   hand
	closed   bool
	filled   chan struct{} // a message came, or the queue closed
	drained  chan struct{} // room came
}

// hand is what was taken and is not released yet.
type hand struct {
	term         int64
	ticks, bytes int64
}

func newQueue(maxBytes int64) *queue {
	return &queue{maxBytes: maxBytes, filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// put appends m; when the bound is reached the oldest messages are shed and
// counted.
func (q *queue) put(m message) {
	q.mu.Lock()
	for q.bytes+m.size() > q.maxBytes && q.count > 0 {
		oldest := q.pop()
		if !oldest.isMark() {
			q.shed++
		}
	}
	q.push(m)
	q.mu.Unlock()
	signal(q.filled)
}

// putWait appends m once there is room for it.
func (q *queue) putWait(ctx context.Context, m message) error {
	for {
		q.mu.Lock()
		if q.bytes+m.size() <= q.maxBytes || q.count == 0 {
			q.push(m)
			q.mu.Unlock()
			signal(q.filled)
			return nil
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-q.drained:
		}
	}
}

// take moves up to limit messages into batch, waiting until there is at least
// one. Once closed and empty it returns errQueueClosed.
func (q *queue) take(ctx context.Context, batch []message, limit int) ([]message, error) {
	for {
		q.mu.Lock()
		q.inHand.term = q.term
		for q.count > 0 && len(batch) < limit {
			m := q.pop()
			if !m.isMark() {
				q.inHand.ticks++
				q.inHand.bytes += m.size()
			}
			batch = append(batch, m)
		}
		closed := q.closed
		q.mu.Unlock()
		if len(batch) > 0 {
			signal(q.drained)
			return batch, nil
		}
		if closed {
			return batch, errQueueClosed
		}
		select {
		case <-ctx.Done():
			return batch, ctx.Err()
		case <-q.filled:
		}
	}
}

// handTerm is the term in which was read what was taken last.
func (q *queue) handTerm() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.inHand.term
}

// release tells that what was taken is stored or rejected; where it is given up
// it counts as shed.
func (q *queue) release(givenUp bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if givenUp {
		q.shed += q.inHand.ticks
	}
	q.inHand.ticks, q.inHand.bytes = 0, 0
}

// begin numbers the term of what is put from now on.
func (q *queue) begin(term int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.term = term
}

// currentTerm is the term that begin was given last.
func (q *queue) currentTerm() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.term
}

// clear gives up all that waits and counts it as shed.
func (q *queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shed += q.ticks
	q.chunks, q.head, q.count, q.bytes, q.ticks = nil, 0, 0, 0, 0
	signal(q.drained)
}

// close lets take end once the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	signal(q.filled)
}

// depth is how many ticks wait or were taken and not released, their bytes, and
// how many were shed so far.
func (q *queue) depth() (ticks, bytes, shed int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ticks + q.inHand.ticks, q.bytes + q.inHand.bytes, q.shed
}

func (q *queue) push(m message) {
	last := len(q.chunks) - 1
	if last < 0 || len(q.chunks[last]) == chunkLength {
		q.chunks = append(q.chunks, make([]message, 0, chunkLength))
		last++
	}
	q.chunks[last] = append(q.chunks[last], m)
	q.count++
	q.bytes += m.size()
	if !m.isMark() {
		q.ticks++
	}
}

func (q *queue) pop() message {
	first := q.chunks[0]
	m := first[q.head]
	first[q.head] = message{}
	q.head++
	if q.head == len(first) {
		q.head = 0
		if len(q.chunks) == 1 {
			q.chunks[0] = first[:0]
		} else {
			q.chunks[0] = nil
			q.chunks = q.chunks[1:]
		}
	}
	q.count--
	q.bytes -= m.size()
	if !m.isMark() {
		q.ticks--
	}
	return m
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
