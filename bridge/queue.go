package bridge

const chunkLength = 4096

// queue is a FIFO of messages in memory. It grows by chunks, so that a burst
// copies nothing. It is not safe for use by several goroutines at once.
type queue struct {
	chunks [][]message // all but the last are full, but for what is put in front
	head   int         // index of the first message in chunks[0]
	bytes  int64
	count  int64
	ticks  int64
}

// push appends m.
func (q *queue) push(m message) {
	last := len(q.chunks) - 1
	if last < 0 || len(q.chunks[last]) == cap(q.chunks[last]) {
		q.chunks = append(q.chunks, make([]message, 0, chunkLength))
		last++
	}
	q.chunks[last] = append(q.chunks[last], m)
	q.account(&m, 1)
}

// pushFront puts messages before all others, in their order.
func (q *queue) pushFront(messages []message) {
	if len(messages) == 0 {
		return
	}
	front := append(make([]message, 0, len(messages)), messages...)
	if len(q.chunks) > 0 {
		rest := q.chunks[0][q.head:]
		q.chunks[0] = rest
	}
	q.head = 0
	q.chunks = append([][]message{front}, q.chunks...)
	for i := range front {
		q.account(&front[i], 1)
	}
}

// pop takes the oldest; there must be one.
func (q *queue) pop() message {
	for q.head == len(q.chunks[0]) {
		q.chunks, q.head = q.chunks[1:], 0
	}
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
	q.account(&m, -1)
	return m
}

func (q *queue) account(m *message, sign int64) {
	q.count += sign
	q.bytes += sign * m.size()
	if m.isTick() {
		q.ticks += sign
	}
}

// clear drops all.
func (q *queue) clear() { *q = queue{} }
