package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9/logging"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main() // does not return
	}
	if setting := os.Getenv(natsEnv); setting != "" {
		beNATS(setting) // until it is killed
		return
	}
	if setting := os.Getenv(nodeEnv); setting != "" {
		beNode(setting) // until it is killed
		return
	}
	logging.Disable() // as main does
	os.Exit(m.Run())
}

// output is what a command wrote so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// command is one that runs.
type command struct {
	stdout, stderr output
	stop           context.CancelFunc
	code           chan int
}

// start runs a command line until it ends by itself or is stopped.
func start(t *testing.T, stdin string, args ...string) *command {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &command{stop: stop, code: make(chan int, 1)}
	go func() { // ends when the command does, at the latest with the test's context
		c.code <- run(ctx, append([]string{"tickstream"}, args...), strings.NewReader(stdin), &c.stdout, &c.stderr)
	}()
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%q wrote\n%s\nand on standard error\n%s", args, &c.stdout, &c.stderr)
		}
	})
	return c
}

// wait returns the exit code.
func (c *command) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-c.code:
		return code
	case <-time.After(30 * time.Second):
		t.Fatalf("the command has not ended; standard error: %s", &c.stderr)
		return -1
	}
}

// shows waits until standard output holds text.
func (c *command) shows(t *testing.T, text string) {
	t.Helper()
	testbed.Eventually(t, 15*time.Second, fmt.Sprintf("standard output shows %q", text), func(context.Context) bool {
		return strings.Contains(c.stdout.String(), text)
	})
}

// tickstream runs a command line to its end.
func tickstream(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	c := start(t, "", args...)
	code = c.wait(t)
	return code, c.stdout.String(), c.stderr.String()
}

// testServers are a NATS with streams and a Redis, and the flags that reach them.
type testServers struct {
	nats  *testbed.NATS
	js    jetstream.JetStream
	redis *testbed.Redis
}

func startTestServers(t *testing.T) *testServers {
	t.Helper()
	return startTestServersWith(t, stream.Config{})
}

func startTestServersWith(t *testing.T, cfg stream.Config) *testServers {
	t.Helper()
	s := &testServers{nats: testbed.StartNATS(t), redis: testbed.StartRedis(t)}
	s.js = s.nats.JetStream()
	if _, err := stream.Ensure(t.Context(), s.js, cfg, quiet); err != nil {
		t.Fatalf("ensure streams: %v", err)
	}
	return s
}

// namespace of the test's channels.
func (s *testServers) namespace() string {
	return strings.TrimSuffix(s.redis.Channels.Ticks, ":market:ticks")
}

// with adds the flags that reach both servers.
func (s *testServers) with(args ...string) []string {
	return append(args, "--nats", s.nats.URL(), "--redis", s.redis.URL, "--redis-namespace", s.namespace())
}

// store stores n ticks and returns their payloads.
func (s *testServers) store(t *testing.T, n int) []string {
	t.Helper()
	payloads := make([]string, n)
	for i := range payloads {
		symbol := []string{"AAPL", "BRK.B"}[i%2]
		payloads[i] = fmt.Sprintf(`{"symbol": %q, "price": %d.5, "timestamp": %d.0}`, symbol, i+1, 1759843800+i)
		if _, err := s.js.Publish(t.Context(), stream.TickSubject(symbol), []byte(payloads[i])); err != nil {
			t.Fatalf("store tick: %v", err)
		}
	}
	return payloads
}
