package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// child is a process of this test's own binary that is tickstream.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr output
	ended  bool
}

func spawn(t *testing.T, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.CommandContext(t.Context(), os.Args[0], args...)}
	c.cmd.Env, c.cmd.Stderr = append(os.Environ(), mainEnv+"=1"), &c.stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("start %q: %v", args, err)
	}
	t.Cleanup(func() {
		if !c.ended {
			c.kill()
		}
		if t.Failed() {
			t.Logf("%q wrote\n%s", args, &c.stderr)
		}
	})
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // as killed
	c.ended = true
}

func (c *child) signal(signal syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatalf("signal %v: %v", signal, err)
	}
}

// bridge starts a bridge.
func (s *testServers) bridge(t *testing.T, args ...string) *child {
	t.Helper()
	return spawn(t, s.with(append([]string{"bridge"}, args...)...)...)
}

// bridgeOf is what the bridge of a process says of itself; nil until it does.
func (s *testServers) bridgeOf(t *testing.T, c *child) *presence.Report {
	t.Helper()
	bucket, err := s.js.KeyValue(t.Context(), stream.ComponentsBucket)
	if err != nil {
		return nil
	}
	reports, err := presence.List(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		if r.Bridge != nil && r.PID == c.cmd.Process.Pid {
			return &r
		}
	}
	return nil
}

func (s *testServers) awaitBridge(t *testing.T, c *child, what string, condition func(*presence.Report) bool) {
	t.Helper()
	testbed.Eventually(t, 30*time.Second, "the bridge "+what, func(context.Context) bool {
		r := s.bridgeOf(t, c)
		return r != nil && condition(r)
	})
}

func leads(r *presence.Report) bool {
	return r.Bridge.State == presence.StateActive && r.Bridge.Subscribed
}

func standsBy(r *presence.Report) bool {
	return r.Bridge.State == presence.StateStandby && r.Bridge.Subscribed
}

// tickFeed publishes ticks, numbered a symbol, until it is stopped. Each fourth is
// the same to the byte as the one before it.
type tickFeed struct {
	client  *redis.Client
	channel string
	n       int
	sent    map[string][]string
	count   atomic.Int64
	quit    chan struct{}
	done    sync.WaitGroup
}

func (s *testServers) newTickFeed() *tickFeed {
	return &tickFeed{client: s.redis.Client(), channel: s.redis.Channels.Ticks, sent: map[string][]string{}}
}

func (l *tickFeed) publish(t *testing.T, n int) {
	t.Helper()
	for range n {
		symbol := fmt.Sprintf("SYM%d", l.n%5)
		payload := fmt.Sprintf(`{"symbol":%q,"price":%d.25,"volume":%d,"timestamp":%.3f,"source":"simulated"}`,
			symbol, 100+l.n%50, l.n, float64(time.Now().UnixMilli())/1000)
		if all := l.sent[symbol]; l.n%4 == 3 && len(all) > 0 {
			payload = all[len(all)-1]
		}
		if err := l.client.Publish(context.WithoutCancel(t.Context()), l.channel, payload).Err(); err != nil {
			t.Errorf("publish: %v", err)
			return
		}
		l.sent[symbol] = append(l.sent[symbol], payload)
		l.n++
	}
	l.count.Add(int64(n))
}

// start publishes two ticks every 2 ms until stop.
func (l *tickFeed) start(t *testing.T) {
	l.quit = make(chan struct{})
	l.done.Go(func() { // ends with stop
		ticker := time.NewTicker(2 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-l.quit:
				return
			case <-ticker.C:
				l.publish(t, 2)
			}
		}
	})
}

func (l *tickFeed) stop() {
	close(l.quit)
	l.done.Wait()
}

// storedTicks reads TICKS: payloads by symbol, and the longest time between two.
func (s *testServers) storedTicks(t *testing.T) (bySymbol map[string][]string, total int, pause time.Duration) {
	t.Helper()
	consumer, err := s.js.OrderedConsumer(t.Context(), stream.Ticks, jetstream.OrderedConsumerConfig{FilterSubjects: []string{stream.AllTicks}})
	if err != nil {
		t.Fatal(err)
	}
	info, err := consumer.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.js.DeleteConsumer(t.Context(), stream.Ticks, info.Name) }() // a stream has so many at most
	bySymbol = map[string][]string{}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	var before time.Time
	for range info.NumPending {
		msg, err := messages.Next(jetstream.NextMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		if !before.IsZero() {
			pause = max(pause, meta.Timestamp.Sub(before))
		}
		before = meta.Timestamp
		tick, _ := stream.ParseStoredTick(msg.Subject())
		bySymbol[tick.Symbol] = append(bySymbol[tick.Symbol], string(msg.Data()))
		total++
	}
	return bySymbol, total, pause
}

// expectStored waits until as much is stored as was sent and compares, a symbol
// at a time; it returns the longest time between two.
func (s *testServers) expectStored(t *testing.T, sent map[string][]string) time.Duration {
	t.Helper()
	want := 0
	for _, payloads := range sent {
		want += len(payloads)
	}
	testbed.Eventually(t, 60*time.Second, fmt.Sprintf("all %d ticks stored", want), func(ctx context.Context) bool {
		info, err := s.js.Stream(ctx, stream.Ticks)
		if err != nil {
			return false
		}
		state, err := info.Info(ctx, jetstream.WithSubjectFilter(stream.AllTicks))
		if err != nil {
			return false
		}
		stored := uint64(0)
		for _, n := range state.State.Subjects {
			stored += n
		}
		return stored >= uint64(want)
	})
	got, total, pause := s.storedTicks(t)
	for symbol, payloads := range sent {
		have := got[symbol]
		for i := range min(len(have), len(payloads)) {
			if have[i] != payloads[i] {
				t.Fatalf("%s: tick %d of %d is %s, published was %s", symbol, i, len(payloads), have[i], payloads[i])
			}
		}
	}
	if total != want {
		t.Fatalf("%d ticks stored, %d published", total, want)
	}
	return pause
}
