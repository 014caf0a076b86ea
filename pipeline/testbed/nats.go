// Package testbed runs the real servers that tests need: an embedded NATS
// server, and an in-process Redis or the ones that the environment names.
package testbed

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// NATS is a running server that a test may stop and start again with the same
// store and port.
type NATS struct {
	tb      testing.TB
	options *server.Options
	server  *server.Server
}

// StartNATS runs a server with JetStream on a temporary folder and a free
// loopback port until the test ends.
func StartNATS(tb testing.TB) *NATS {
	tb.Helper()
	n := &NATS{tb: tb, options: &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		JetStream: true, StoreDir: tb.TempDir(), NoSigs: true, NoLog: true,
	}}
	n.Start()
	tb.Cleanup(n.Stop)
	return n
}

// Start starts the server after [NATS.Stop].
func (n *NATS) Start() {
	n.tb.Helper()
	s, err := server.NewServer(n.options.Clone())
	if err != nil {
		n.tb.Fatalf("make nats server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		n.tb.Fatal("nats server is not ready after 10s")
	}
	n.server = s
	addr, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		n.tb.Fatalf("nats server listens on %v, not on TCP", s.Addr())
	}
	n.options.Port = addr.Port
}

// Stop stops the server and waits until it has.
func (n *NATS) Stop() {
	if n.server == nil {
		return
	}
	n.server.Shutdown()
	n.server.WaitForShutdown()
	n.server = nil
}

// Reload changes the options of the running server, as a reload of its
// configuration does.
func (n *NATS) Reload(change func(*server.Options)) {
	n.tb.Helper()
	options := n.options.Clone()
	change(options)
	if err := n.server.ReloadOptions(options.Clone()); err != nil {
		n.tb.Fatalf("reload nats options: %v", err)
	}
	n.options = options
}

// URL is where the server listens, the same after a restart.
func (n *NATS) URL() string { return n.server.ClientURL() }

// Connect returns a connection that reconnects for ever, closed with the test.
func (n *NATS) Connect(opts ...nats.Option) *nats.Conn {
	n.tb.Helper()
	opts = append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond), nats.ReconnectBufSize(-1), nats.IgnoreAuthErrorAbort(),
	}, opts...)
	nc, err := nats.Connect(n.URL(), opts...)
	if err != nil {
		n.tb.Fatalf("connect to nats: %v", err)
	}
	n.tb.Cleanup(nc.Close)
	return nc
}

// JetStream returns a JetStream context on a connection of its own.
func (n *NATS) JetStream() jetstream.JetStream {
	n.tb.Helper()
	js, err := jetstream.New(n.Connect())
	if err != nil {
		n.tb.Fatalf("open jetstream: %v", err)
	}
	return js
}

// Eventually waits until condition holds, and fails the test with what after
// the deadline.
func Eventually(tb testing.TB, deadline time.Duration, what string, condition func(context.Context) bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), deadline)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition(ctx) {
		select {
		case <-ctx.Done():
			tb.Fatalf("not within %v: %s", deadline, what)
		case <-ticker.C:
		}
	}
}
