package bridge

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	readAheadChunk = 256 << 10
	// lastBytesWait is how long a connection that cannot be written is read on.
	lastBytesWait = 100 * time.Millisecond
)

// ReadAhead takes what comes off conn at once into memory, up to limit bytes,
// whether anybody reads it or not. Redis disconnects a subscriber that leaves
// more than its output buffer lying; taking bytes costs so little that even a
// burst at Redis's full speed finds the socket empty.
//
// What was taken outlives the connection: the reader gets all of it before the
// error that ended the connection, and a failing write is not reported to the
// writer, who would close the connection on it, but ends the reading.
//
// One goroutine belongs to the connection and ends when it is closed or fails.
func ReadAhead(conn net.Conn, limit int) net.Conn {
	r := &readAhead{Conn: conn, limit: limit, ready: make(chan struct{}, 1), room: make(chan struct{}, 1), closed: make(chan struct{})}
	go r.pump()
	return r
}

type readAhead struct {
	net.Conn
	limit int

	mu       sync.Mutex
	chunks   [][]byte // oldest first, none empty
	held     int
	spare    []byte
	err      error // of the connection, once it has failed
	writeErr error // of the first write that failed
	deadline time.Time
	lastRead time.Time // when bytes last came

	ready  chan struct{} // bytes or an error came
	room   chan struct{} // bytes were taken
	once   sync.Once
	closed chan struct{}
}

// pump reads until the connection fails, which closing it makes it do.
func (r *readAhead) pump() {
	for {
		r.mu.Lock()
		for r.held >= r.limit {
			r.mu.Unlock()
			select {
			case <-r.room:
			case <-r.closed:
				return
			}
			r.mu.Lock()
		}
		chunk := r.spare
		r.spare = nil
		r.mu.Unlock()
		if chunk == nil {
			chunk = make([]byte, readAheadChunk)
		}
		n, err := r.Conn.Read(chunk)
		r.mu.Lock()
		if n > 0 {
			r.lastRead = time.Now()
			r.append(chunk[:n])
		}
		if err != nil {
			r.err = err
			if r.writeErr != nil {
				r.err = r.writeErr
			}
		}
		r.mu.Unlock()
		signal(r.ready)
		if err != nil {
			return
		}
	}
}

// append keeps a chunk; a small one is copied, so that a chunk's memory is not
// spent on a few bytes.
func (r *readAhead) append(chunk []byte) {
	r.held += len(chunk)
	if len(chunk) < cap(chunk)/4 {
		if last := len(r.chunks) - 1; last >= 0 && len(chunk) <= cap(r.chunks[last])-len(r.chunks[last]) {
			r.chunks[last] = append(r.chunks[last], chunk...)
		} else {
			r.chunks = append(r.chunks, append(make([]byte, 0, len(chunk)), chunk...))
		}
		r.spare = chunk[:cap(chunk)]
		return
	}
	r.chunks = append(r.chunks, chunk)
}

// Read gives what was taken, and waits for it up to the read deadline.
func (r *readAhead) Read(b []byte) (int, error) {
	for {
		r.mu.Lock()
		if n := r.take(b); n > 0 {
			r.mu.Unlock()
			signal(r.room)
			return n, nil
		}
		err, deadline := r.err, r.deadline
		r.mu.Unlock()
		if err != nil {
			signal(r.ready) // for whoever reads next
			return 0, err
		}
		if err := r.wait(deadline); err != nil {
			return 0, err
		}
	}
}

func (r *readAhead) take(b []byte) int {
	n := 0
	for n < len(b) && len(r.chunks) > 0 {
		taken := copy(b[n:], r.chunks[0])
		n += taken
		if taken == len(r.chunks[0]) {
			r.chunks[0] = nil
			r.chunks = r.chunks[1:]
		} else {
			r.chunks[0] = r.chunks[0][taken:]
		}
	}
	r.held -= n
	return n
}

func (r *readAhead) wait(deadline time.Time) error {
	var expired <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-r.ready:
		return nil
	case <-r.closed:
		return net.ErrClosed
	case <-expired:
		return os.ErrDeadlineExceeded
	}
}

// Write never fails on a connection that the other side ended: reads do, behind
// what was taken.
func (r *readAhead) Write(b []byte) (int, error) {
	select {
	case <-r.closed:
		return 0, net.ErrClosed
	default:
	}
	r.mu.Lock()
	failed := r.writeErr != nil
	r.mu.Unlock()
	if failed {
		return len(b), nil
	}
	if _, err := r.Conn.Write(b); err != nil {
		r.mu.Lock()
		r.writeErr = err
		r.mu.Unlock()
		// A deadline that cannot be set is that of a closed connection, whose
		// reads have ended already.
		_ = r.Conn.SetReadDeadline(time.Now().Add(lastBytesWait))
	}
	return len(b), nil
}

// heardAt is when bytes last came off the connection, read by anyone or not.
func (r *readAhead) heardAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastRead
}

// SetReadDeadline holds for the reads that begin after it.
func (r *readAhead) SetReadDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = t
	return nil
}

// SetDeadline sets both deadlines.
func (r *readAhead) SetDeadline(t time.Time) error {
	return errors.Join(r.SetReadDeadline(t), r.SetWriteDeadline(t))
}

// Close closes the connection; what was taken and not read is given up.
func (r *readAhead) Close() error {
	r.once.Do(func() { close(r.closed) })
	return r.Conn.Close()
}
