package deploy_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var quiet = slog.New(slog.DiscardHandler)

// secrets are what .env would hold; the first looks like a number, which the
// quotes that docker-compose.yml adds must make harmless.
var secrets = map[string]string{
	"bridge": "20251007", "pipeline": "pipeline-secret", "health": "health-secret", "operator": "operator-secret",
	"observer": "observer-secret",
}

// options reads nats.conf with the environment that docker-compose.yml gives.
func options(t *testing.T, syncInterval string) *server.Options {
	t.Helper()
	for user, secret := range secrets {
		t.Setenv("NATS_"+strings.ToUpper(user)+"_PASSWORD", `"`+secret+`"`)
	}
	t.Setenv("NATS_SYNC_INTERVAL", `"`+syncInterval+`"`)
	opts, err := server.ProcessConfigFile("../nats.conf")
	if err != nil {
		t.Fatalf("read nats.conf: %v", err)
	}
	return opts
}

// startServer runs the server of nats.conf on a free loopback port and a
// temporary folder.
func startServer(t *testing.T) *server.Server {
	t.Helper()
	opts := options(t, "2m")
	opts.Host, opts.Port, opts.HTTPPort = "127.0.0.1", server.RANDOM_PORT, 0
	opts.StoreDir, opts.NoSigs, opts.NoLog = t.TempDir(), true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatalf("make nats server: %v", err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats server is not ready after 10s")
	}
	return s
}

// client is a connection of one role, as the binary makes it, which notes
// each refusal of the server.
type client struct {
	*nats.Conn
	js   jetstream.JetStream
	user string
	t    *testing.T

	mu       sync.Mutex
	refusals []string
}

func url(s *server.Server, user, secret string) string {
	return "nats://" + user + ":" + secret + "@" + s.Addr().String()
}

func connect(t *testing.T, s *server.Server, user string) *client {
	t.Helper()
	c := &client{user: user, t: t}
	nc, err := nats.Connect(url(s, user, secrets[user]),
		nats.CustomInboxPrefix("_INBOX."+user),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.refusals = append(c.refusals, err.Error())
		}))
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(nc.Close)
	c.Conn = nc
	if c.js, err = jetstream.New(nc); err != nil {
		t.Fatalf("open jetstream: %v", err)
	}
	return c
}

// refused waits until the server has judged all that was sent so far, and
// returns what it refused since the last call. What it refuses for certain
// marks the end: the client hears of refusals in order.
func (c *client) refused() []string {
	c.t.Helper()
	const marker = "nobody.may.publish.this"
	if err := c.Publish(marker, nil); err != nil {
		c.t.Fatalf("publish: %v", err)
	}
	if err := c.Flush(); err != nil {
		c.t.Fatalf("flush: %v", err)
	}
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		c.mu.Lock()
		for i, refusal := range c.refusals {
			if strings.Contains(refusal, marker) {
				before := append([]string(nil), c.refusals[:i]...)
				c.refusals = c.refusals[i+1:]
				c.mu.Unlock()
				return before
			}
		}
		c.mu.Unlock()
		select {
		case <-deadline:
			c.t.Fatal("the server did not refuse the marker within 5s")
		case <-tick.C:
		}
	}
}

// mustBeAllowed fails the test for each refusal since the last call.
func (c *client) mustBeAllowed() {
	c.t.Helper()
	for _, refusal := range c.refused() {
		c.t.Errorf("refused: %s", refusal)
	}
}
