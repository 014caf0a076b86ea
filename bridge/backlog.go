package bridge

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tickstock/tickstream/bridge/spool"
)

// errBacklogClosed is returned by take once the backlog is closed and empty.
var errBacklogClosed = errors.New("backlog closed")

// backlog is what was read and is not known to be stored, in order: what the
// publisher has in hand, then what is on disk, then what is in memory. The
// reader never waits for it.
type backlog struct {
	maxBytes int64 // in memory
	spool    *spool.Spool
	names    *alignment
	log      *slog.Logger
	// report is told of each gap that is given up with the messages around it;
	// it must not wait. Optional.
	report func(missed)

	// moving is held while messages move between memory, disk and hand.
	moving sync.Mutex

	mu       sync.Mutex
	memory   queue
	hand     hand
	orphans  []message // given back when the disk no longer has them: older than all on it
	shed     int64
	moved    time.Time     // when something was taken off last, or came while there was nothing
	settled  place         // of TICKS, behind which is all of this
	failure  string        // of the spool; empty while it works
	unplaced string        // why it cannot note what of it is consumed
	term     int64         // in which is read what is put
	patience time.Duration // after which what does not move goes to disk
	closed   bool
	filled   chan struct{} // a message came, or the backlog closed
	stirred  chan struct{} // a message came while there was nothing
	drained  chan struct{} // room came
}

// hand is what was taken and is not settled.
type hand struct {
	messages []message
	ticks    int64
	bytes    int64
	term     int64
	onDisk   bool
	orphaned bool // was on disk, of which the disk has given up its part
}

func newBacklog(maxBytes int64, disk *spool.Spool, names *alignment, log *slog.Logger) *backlog {
	return &backlog{
		maxBytes: maxBytes, spool: disk, names: names, log: log, patience: leadersPatience,
		filled: make(chan struct{}, 1), stirred: make(chan struct{}, 1), drained: make(chan struct{}, 1),
	}
}

// put appends m; where memory is full the oldest in it is shed and counted.
func (b *backlog) put(m message) {
	var gaps []missed
	b.mu.Lock()
	for b.memory.bytes+m.size() > b.maxBytes && b.memory.count > 0 {
		oldest := b.memory.pop()
		if oldest.isTick() {
			b.shed++
		}
		if oldest.gap != nil {
			gaps = append(gaps, *oldest.gap)
		}
	}
	b.push(m)
	b.mu.Unlock()
	signal(b.filled)
	b.tell(gaps)
}

// tell has gaps reported whose messages are given up.
func (b *backlog) tell(gaps []missed) {
	if b.report == nil {
		return
	}
	for _, gap := range gaps {
		b.report(gap)
	}
}

// putWait appends m once there is room for it.
func (b *backlog) putWait(ctx context.Context, m message) error {
	for {
		b.mu.Lock()
		if b.memory.bytes+m.size() <= b.maxBytes || b.memory.count == 0 {
			b.push(m)
			b.mu.Unlock()
			signal(b.filled)
			return nil
		}
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.drained:
		}
	}
}

func (b *backlog) push(m message) {
	if b.memory.count == 0 && len(b.hand.messages) == 0 {
		b.moved = time.Now()
		signal(b.stirred)
	}
	b.memory.push(m)
}

// take moves up to limit messages into batch, waiting until there is at least
// one. Once closed and empty it returns errBacklogClosed. The batch is the
// publisher's until it has settled all of it or given the rest back.
func (b *backlog) take(ctx context.Context, batch []message, limit int) ([]message, error) {
	for {
		var closed bool
		if batch, closed = b.takeNow(batch, limit); len(batch) > 0 {
			return batch, nil
		}
		if closed {
			return batch, errBacklogClosed
		}
		select {
		case <-ctx.Done():
			return batch, ctx.Err()
		case <-b.filled:
		}
	}
}

// takeNow is take that does not wait.
func (b *backlog) takeNow(batch []message, limit int) (_ []message, closed bool) {
	b.moving.Lock()
	defer b.moving.Unlock()
	taken := hand{}
	if n := min(len(b.orphans), limit); n > 0 {
		batch, b.orphans = append(batch, b.orphans[:n]...), b.orphans[n:]
		taken.orphaned = true
	} else if b.spool != nil {
		records := b.spool.Read(limit)
		for _, r := range records {
			batch = append(batch, b.names.decode(r))
		}
		taken.onDisk = len(records) > 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for !taken.onDisk && !taken.orphaned && b.memory.count > 0 && len(batch) < limit {
		batch = append(batch, b.memory.pop())
	}
	taken.messages, taken.term = batch, b.term
	for i := range batch {
		if batch[i].isTick() {
			taken.ticks++
			taken.bytes += batch[i].size()
		}
	}
	b.hand = taken
	signal(b.drained)
	return batch, b.closed
}

// settle lets go of the first n of what is in hand; all that is left is behind
// the place in TICKS. Where the disk cannot note that, a later life finds what
// is settled again, and finds it in TICKS.
func (b *backlog) settle(n int, behind place) {
	b.moving.Lock()
	defer b.moving.Unlock()
	if b.hand.onDisk && n > 0 {
		b.noteConsumed(b.spool.Consume(n, behind.encode()))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settled = behind
	if n > 0 {
		b.moved = time.Now()
	}
	for i := range n {
		if m := &b.hand.messages[i]; m.isTick() {
			b.hand.ticks--
			b.hand.bytes -= m.size()
		}
	}
	b.hand.messages = b.hand.messages[n:]
}

// settleAll is settle for all that is in hand.
func (b *backlog) settleAll(behind place) {
	b.mu.Lock()
	n := len(b.hand.messages)
	b.mu.Unlock()
	b.settle(n, behind)
}

// giveBack returns what is in hand to the front.
func (b *backlog) giveBack() {
	b.moving.Lock()
	defer b.moving.Unlock()
	if b.hand.onDisk {
		b.spool.Rewind()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.hand.orphaned:
		b.orphans = append(append([]message{}, b.hand.messages...), b.orphans...)
	case !b.hand.onDisk:
		b.memory.pushFront(b.hand.messages)
	}
	b.hand = hand{}
}

// clear drops what is in memory and in hand: the source gives it again.
func (b *backlog) clear() {
	b.moving.Lock()
	defer b.moving.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.memory.clear()
	b.hand, b.orphans = hand{}, nil
	signal(b.drained)
}

// begin numbers the term of what is put from now on.
func (b *backlog) begin(term int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.term = term
}

// handTerm is the term in which was read what was taken last.
func (b *backlog) handTerm() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hand.term
}

// begins is when the oldest message was read, zero if there is none, and the
// place in TICKS behind which all is.
func (b *backlog) begins() (oldest time.Time, behind place) {
	first, _ := b.takeNow(nil, 1)
	if len(first) > 0 {
		oldest = first[0].receivedAt
	}
	b.giveBack()
	b.mu.Lock()
	defer b.mu.Unlock()
	return oldest, b.settled
}

// bePatient sets after how long what does not move goes to disk.
func (b *backlog) bePatient(patience time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.patience = patience
}

func (b *backlog) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// close lets take end once the backlog is empty.
func (b *backlog) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	signal(b.filled)
}

// depth is what waits or is in hand.
type depth struct {
	ticks, bytes               int64 // all ticks; bytes of those in memory
	spooledTicks, spooledBytes int64
	shed                       int64
	maxSpooledBytes            int64
	failure                    string // of the spool
}

func (b *backlog) depth() depth {
	b.mu.Lock()
	d := depth{
		ticks: b.memory.ticks, bytes: b.memory.bytes + b.hand.bytes,
		shed: b.shed, failure: b.failure,
	}
	if !b.hand.onDisk {
		d.ticks += b.hand.ticks
	}
	for i := range b.orphans {
		if b.orphans[i].isTick() {
			d.ticks++
		}
	}
	if d.failure == "" {
		d.failure = b.unplaced
	}
	b.mu.Unlock()
	if b.spool != nil {
		d.spooledTicks, d.spooledBytes = b.spool.Waiting()[tickRecord], b.spool.Bytes()
		d.ticks += d.spooledTicks
		d.maxSpooledBytes = b.spool.MaxBytes()
		d.shed += b.spool.Lost()[tickRecord]
	}
	return d
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
