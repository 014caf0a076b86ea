package testbed

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"time"
)

// Wire dials, and lets a test break what it dialled.
type Wire struct {
	mu    sync.Mutex
	conns map[*wireConn]bool
	muted chan struct{} // closed while replies flow
	down  bool
	// refused is what no write may hold, in lower case; empty for anything.
	refused []byte
}

// NewWire returns a wire that is whole.
func NewWire() *Wire {
	flowing := make(chan struct{})
	close(flowing)
	return &Wire{conns: map[*wireConn]bool{}, muted: flowing}
}

// Dial connects to address, as [net.Dial] does.
func (w *Wire) Dial(network, address string) (net.Conn, error) {
	return w.DialContext(context.Background(), network, address)
}

// DialContext connects to address unless the wire is down.
func (w *Wire) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &wireConn{Conn: conn, wire: w, closed: make(chan struct{})}
	w.mu.Lock()
	w.conns[c] = true
	w.mu.Unlock()
	return c, nil
}

// Mute lets what is written through and holds back every reply.
func (w *Wire) Mute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.muted = make(chan struct{})
}

// Unmute lets replies through again.
func (w *Wire) Unmute() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.muted:
	default:
		close(w.muted)
	}
}

// RefuseWrites breaks a connection as soon as it would send word, in whatever
// case.
func (w *Wire) RefuseWrites(word string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = []byte(strings.ToLower(word))
}

// Cut closes every connection; new ones can be made.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		_ = c.Conn.Close() // being cut is the point
	}
	clear(w.conns)
}

// SetDown cuts, and refuses new connections while down.
func (w *Wire) SetDown(down bool) {
	w.mu.Lock()
	w.down = down
	w.mu.Unlock()
	if down {
		w.Cut()
	}
}

type wireConn struct {
	net.Conn
	wire   *Wire
	once   sync.Once
	closed chan struct{}
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.mu.Lock()
	muted := c.wire.muted
	c.wire.mu.Unlock()
	select {
	case <-muted:
		return n, err
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *wireConn) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	refused := c.wire.refused
	c.wire.mu.Unlock()
	if len(refused) > 0 && bytes.Contains(bytes.ToLower(b), refused) {
		_ = c.Close() // the refusal is the error
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
