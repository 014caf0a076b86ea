package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// burst is a connection on which, once it is armed, Redis sends frames as fast
// as they are taken and is then gone.
type burst struct {
	frame []byte
	armed chan struct{}
	gone  chan struct{} // closed with the last frame

	mu     sync.Mutex
	left   int
	taken  int64
	goneAt time.Time
}

func newBurst(channel, payload string, frames int) *burst {
	return &burst{
		frame: fmt.Appendf(nil, "*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(payload), payload),
		armed: make(chan struct{}), gone: make(chan struct{}), left: frames,
	}
}

type burstConn struct {
	net.Conn
	*burst
}

func (c burstConn) Read(b []byte) (int, error) {
	select {
	case <-c.armed:
		return c.send(b)
	default:
	}
	n, err := c.Conn.Read(b)
	if n == 0 && err != nil { // the test ended the wait
		select {
		case <-c.armed:
			return c.send(b)
		default:
		}
	}
	return n, err
}

func (c burstConn) send(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for c.left > 0 && n+len(c.frame) <= len(b) {
		n += copy(b[n:], c.frame)
		c.left--
		c.taken++
	}
	if n == 0 {
		c.goneAt = time.Now()
		close(c.gone)
		return 0, io.EOF
	}
	return n, nil
}

func (c burstConn) Write(b []byte) (int, error) {
	select {
	case <-c.gone:
		return 0, errors.New("broken pipe")
	default:
		return c.Conn.Write(b)
	}
}

// gated gives the parser nothing of a burst until Redis is gone and somebody
// has tried to write.
type gated struct {
	net.Conn
	burst   *burst
	once    *sync.Once
	written chan struct{}
}

func (c gated) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.burst.armed:
		<-c.written
	default:
	}
	return n, err
}

func (c gated) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	select {
	case <-c.burst.gone:
		c.once.Do(func() { close(c.written) })
	default:
	}
	return n, err
}

// redisThrough is a client whose first connection is what wrap makes of it.
func (b *bed) redisThrough(wrap func(net.Conn) net.Conn) (client redis.UniversalClient, first func() net.Conn) {
	b.Helper()
	options, err := redis.ParseURL(b.redis.URL)
	if err != nil {
		b.Fatalf("parse redis url: %v", err)
	}
	var conn atomic.Pointer[net.Conn]
	options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		var dialer net.Dialer
		dialed, err := dialer.DialContext(ctx, network, address)
		if err != nil || !conn.CompareAndSwap(nil, &dialed) {
			return dialed, err
		}
		return wrap(dialed), nil
	}
	c := redis.NewClient(options)
	b.Cleanup(func() { _ = c.Close() })
	return c, func() net.Conn { return *conn.Load() }
}

// fire arms a burst and ends the read that waits for Redis.
func (b *bed) fire(shot *burst, conn net.Conn) {
	b.Helper()
	close(shot.armed)
	if err := conn.SetReadDeadline(time.Now()); err != nil {
		b.Fatalf("end the wait of the connection: %v", err)
	}
}

// Redis goes away with a backlog read ahead, and the next ping cannot be
// written: what was taken off the socket is still handed over.
func TestTicksTakenOffTheSocketOutliveTheConnection(t *testing.T) {
	b := newBed(t)
	shot := newBurst(b.cfg.Channel, tickOf("AAPL", 1), 50_000)
	written := make(chan struct{})
	client, conn := b.redisThrough(func(c net.Conn) net.Conn {
		return gated{Conn: bridge.ReadAhead(burstConn{c, shot}, 256<<20), burst: shot, once: new(sync.Once), written: written}
	})
	r := b.startWith(b.cfg, client, b.nats.JetStream())
	b.fire(shot, conn())
	<-shot.gone
	b.eventually("subscribed again", func() bool { return r.report().Gaps > 0 && r.report().Subscribed })
	if got := r.report().Received; got != shot.taken {
		t.Errorf("%d ticks received, %d were taken off the socket", got, shot.taken)
	}
}

// The parser comes to the end of what was read ahead long after Redis went.
func TestGapBeginsWhenRedisWasHeardLast(t *testing.T) {
	b := newBed(t)
	shot := newBurst(b.cfg.Channel, tickOf("AAPL", 1), 200_000)
	client, conn := b.redisThrough(func(c net.Conn) net.Conn {
		return bridge.ReadAhead(burstConn{c, shot}, 256<<20)
	})
	b.startWith(b.cfg, client, b.nats.JetStream())
	b.fire(shot, conn())
	b.eventually("the gap", func() bool { return len(b.stored(stream.Health, stream.HealthGap)) == 1 })
	var gap event.Gap
	if err := json.Unmarshal(b.stored(stream.Health, stream.HealthGap)[0].Data(), &gap); err != nil {
		t.Fatal(err)
	}
	if gap.From.After(shot.goneAt) {
		t.Errorf("the gap begins %v after Redis went", gap.From.Sub(shot.goneAt))
	}
}

// A stop finds the socket dead, with a backlog read ahead.
func TestStopOnADeadSocketKeepsWhatWasTaken(t *testing.T) {
	b := newBed(t)
	shot := newBurst(b.cfg.Channel, tickOf("AAPL", 1), 20_000)
	written := make(chan struct{})
	client, conn := b.redisThrough(func(c net.Conn) net.Conn {
		return gated{Conn: bridge.ReadAhead(burstConn{c, shot}, 256<<20), burst: shot, once: new(sync.Once), written: written}
	})
	r := b.startWith(b.cfg, client, b.nats.JetStream())
	b.fire(shot, conn())
	<-shot.gone
	if err := r.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if got := r.report().Stored; got != shot.taken {
		t.Errorf("%d ticks stored, %d were taken off the socket", got, shot.taken)
	}
}

func TestReadAheadReportsAFailedWriteBehindWhatWasTaken(t *testing.T) {
	here, there := net.Pipe()
	broken := errors.New("broken pipe")
	ahead := bridge.ReadAhead(failingWrites{here, broken}, 1<<20)
	defer ahead.Close() //nolint:errcheck // the pipe is the test's own
	if _, err := there.Write([]byte("taken")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if n, err := ahead.Write([]byte("ping")); n != 4 || err != nil {
			t.Fatalf("write = %d, %v, want it to look as if it went out", n, err)
		}
	}
	got, err := io.ReadAll(ahead)
	if !bytes.Equal(got, []byte("taken")) || !errors.Is(err, broken) {
		t.Errorf("read %q, %v, want what was taken and then the write's error", got, err)
	}
	if err := ahead.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ahead.Write([]byte("ping")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close = %v", err)
	}
}

type failingWrites struct {
	net.Conn
	err error
}

func (c failingWrites) Write([]byte) (int, error) { return 0, c.err }
