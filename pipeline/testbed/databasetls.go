package testbed

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
)

// StartDatabaseTLS puts TLS in front of a PostgreSQL that has none, in
// PostgreSQL's own way, and returns the address, until the test ends.
func StartDatabaseTLS(tb testing.TB, target string, cfg *tls.Config) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen for PostgreSQL with TLS: %v", err)
	}
	var conns sync.WaitGroup
	var accepting sync.WaitGroup
	accepting.Go(func() { // ends with the listener
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { forwardTLS(conn, target, cfg) }) // ends with its client
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close() // nothing else ends it
		accepting.Wait()
		conns.Wait()
	})
	return listener.Addr().String()
}

// forwardTLS answers the client's request for TLS, and then passes on what is
// inside.
func forwardTLS(plain net.Conn, target string, cfg *tls.Config) {
	defer func() { _ = plain.Close() }() // both sides are done with
	const requestLength = 8
	request := make([]byte, requestLength)
	if _, err := io.ReadFull(plain, request); err != nil {
		return
	}
	if _, err := plain.Write([]byte{'S'}); err != nil {
		return
	}
	secured := tls.Server(plain, cfg)
	if err := secured.Handshake(); err != nil {
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { // ends when the server's side does
		_, _ = io.Copy(secured, server)
		_ = plain.Close()
	})
	_, _ = io.Copy(server, secured)
	_ = server.Close()
	back.Wait()
}
