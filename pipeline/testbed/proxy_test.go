package testbed_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
)

// echo answers each byte with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // ends with the listener
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _, _ = io.Copy(conn, conn) }() // ends with the connection
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// answer sends one byte and waits for it.
func answer(conn net.Conn, wait time.Duration) error {
	if _, err := conn.Write([]byte{1}); err != nil {
		return err
	}
	return read(conn, wait)
}

func read(conn net.Conn, wait time.Duration) error {
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

func TestProxyBreaksAndMends(t *testing.T) {
	proxy := testbed.StartProxy(t, echo(t))
	conn := dial(t, proxy.Addr())
	if err := answer(conn, 5*time.Second); err != nil {
		t.Fatalf("whole: %v", err)
	}

	proxy.Stall()
	if err := answer(conn, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("stalled: %v, want silence", err)
	}
	if err := answer(dial(t, proxy.Addr()), 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("new connection while stalled: %v, want silence", err)
	}
	proxy.Restore()
	if err := read(conn, 5*time.Second); err != nil {
		t.Errorf("restored: %v, want what was held back", err)
	}

	proxy.Cut()
	if err := answer(conn, 5*time.Second); err == nil {
		t.Error("an old connection outlived the cut")
	}
	if err := answer(dial(t, proxy.Addr()), 5*time.Second); err == nil {
		t.Error("a new connection came through the cut")
	}
	proxy.Restore()
	if err := answer(dial(t, proxy.Addr()), 5*time.Second); err != nil {
		t.Errorf("restored: %v", err)
	}
}
