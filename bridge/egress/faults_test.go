package egress_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/bridge/egress"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// natsOver connects to NATS through a proxy that the test breaks.
func (b *bed) natsOver() (*testbed.Proxy, *nats.Conn) {
	b.Helper()
	proxy := testbed.StartProxy(b, strings.TrimPrefix(b.nats.URL(), "nats://"))
	nc, err := nats.Connect("nats://"+proxy.Addr(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return proxy, nc
}

// redisOver connects to Redis through a proxy that the test breaks; wrote is
// closed once something that holds marker was written.
func (b *bed) redisOver(marker string) (proxy *testbed.Proxy, client *redis.Client, wrote <-chan struct{}) {
	b.Helper()
	options, err := redis.ParseURL(b.redis.URL)
	if err != nil {
		b.Fatal(err)
	}
	proxy = testbed.StartProxy(b, options.Addr)
	seen := make(chan struct{})
	note := sync.OnceFunc(func() { close(seen) })
	options.Addr, options.MaxRetries, options.ReadTimeout = proxy.Addr(), -1, 20*time.Second
	options.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, network, address)
		return &markedConn{conn, []byte(marker), note}, err //nolint:wrapcheck // go-redis looks at it
	}
	client = redis.NewClient(options)
	b.Cleanup(func() { _ = client.Close() })
	return proxy, client, seen
}

type markedConn struct {
	net.Conn
	marker []byte
	note   func()
}

func (c *markedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if bytes.Contains(p, c.marker) {
		c.note()
	}
	return n, err //nolint:wrapcheck // as the connection says it
}

// values are those of the indicators that arrived, in order.
func (b *bed) values() []int {
	b.Helper()
	events := b.on(b.redis.Channels.Indicators)
	values := make([]int, len(events))
	for i, payload := range events {
		var got event.StreamingIndicator
		if err := json.Unmarshal([]byte(payload), &got); err != nil {
			b.Fatal(err)
		}
		values[i] = int(got.Calculation.Value)
	}
	return values
}

// inOrder fails the test unless 0 to n-1 arrived, each first behind the one
// before it; how often they came again is returned.
func (b *bed) inOrder(n int) (again int) {
	b.Helper()
	next := 0
	for _, v := range b.values() {
		switch {
		case v == next:
			next++
		case v > next:
			b.Fatalf("%d came behind %d", v, next-1)
		default:
			again++
		}
	}
	if next != n {
		b.Fatalf("%d of %d arrived", next, n)
	}
	return again
}

// flood publishes n indicators of symbol with the values 0 to n-1.
func (b *bed) flood(symbol string, n int) {
	b.Helper()
	js := b.nats.JetStream()
	acks := make([]jetstream.PubAckFuture, 0, 256)
	for v := range n {
		data, err := json.Marshal(rsi(symbol, float64(v), 0))
		if err != nil {
			b.Error(err)
			return
		}
		ack, err := js.PublishAsync(stream.SignalSubject(event.KindIndicator, "RSI", symbol), data, jetstream.WithStallWait(10*time.Second))
		if err != nil {
			b.Error(err)
			return
		}
		if acks = append(acks, ack); len(acks) == cap(acks) || v == n-1 {
			for _, ack := range acks {
				select {
				case <-ack.Ok():
				case err := <-ack.Err():
					b.Error(err)
					return
				}
			}
			acks = acks[:0]
		}
	}
}

// arrived waits until the newest indicator is the one with that value.
func (b *bed) arrived(last int) {
	b.Helper()
	want := fmt.Sprintf(`"value":%d,`, last)
	testbed.Eventually(b, 30*time.Second, "the last arrives", func(context.Context) bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		events := b.events[b.redis.Channels.Indicators]
		return len(events) > 0 && strings.Contains(events[len(events)-1], want)
	})
}

// confirmed waits until e has heard from Redis that n indicators are out.
func (b *bed) confirmed(e *egress.Egress, n int64) {
	b.Helper()
	testbed.Eventually(b, 10*time.Second, "redis confirms", func(context.Context) bool {
		return e.Report().Channels[b.redis.Channels.Indicators].Published == n
	})
}

func (b *bed) count(channel string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events[channel])
}

// What was on the wire when the connection to NATS broke is neither lost nor
// waited for.
func TestALostConnectionToNATSLosesNothing(t *testing.T) {
	b := newBed(t)
	proxy, nc := b.natsOver()
	e, _ := b.startOn(egress.Config{Instance: "one"}, b.redis.Client(), nc)
	b.active(e)
	const n = 8000
	sent := make(chan struct{})
	go func() { // ends with its last result
		defer close(sent)
		b.flood("A", n)
	}()
	for range 10 {
		now := b.count(b.redis.Channels.Indicators)
		testbed.Eventually(t, 20*time.Second, "some arrive", func(context.Context) bool { return b.count(b.redis.Channels.Indicators) >= now+300 })
		proxy.Cut()
		proxy.Restore()
	}
	<-sent
	b.arrived(n - 1)
	if again := b.inOrder(n); again > 0 {
		t.Logf("%d came again", again)
	}
}

// Whoever deletes the consumer does not make results disappear.
func TestADeletedConsumerLosesNothing(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(e)
	const n = 500
	deleted := 0
	for i := range n {
		b.indicator("A", float64(i), 0)
		if i%100 == 50 && b.js.DeleteConsumer(t.Context(), stream.Signals, "egress_indicators") == nil {
			deleted++
		}
	}
	if deleted == 0 {
		t.Fatal("no consumer was deleted")
	}
	b.arrived(n - 1)
	b.inOrder(n)
}

// A process that was stopped, or whose writes were held up, between its look at
// the lease and Redis must not publish once another leads.
func TestAHeldUpWriteIsRefusedOnceAnotherLeads(t *testing.T) {
	b := newBed(t)
	natsProxy, nc := b.natsOver()
	redisProxy, client, wrote := b.redisOver("HELD")
	first, _ := b.startOn(egress.Config{Instance: "one"}, client, nc)
	b.active(first)
	b.indicator("A", 0, 0)
	b.confirmed(first, 1)

	redisProxy.Stall()
	b.indicator("HELD", 1, 0)
	<-wrote
	natsProxy.Cut() // it can renew its lease no more
	b.start(egress.Config{Instance: "two"}, b.redis.Client())
	b.indicator("A", 2, 0)
	b.arrived(2)
	redisProxy.Restore()
	testbed.Eventually(t, 20*time.Second, "the first has given up", func(context.Context) bool { return !first.Report().Active })
	b.indicator("A", 3, 0)
	b.arrived(3)
	if again := b.inOrder(4); again != 0 {
		t.Errorf("a process without the lease published: %v", b.values())
	}
}

// The store's confirmations wait for Redis as results do.
func TestConfirmationsOutliveRedis(t *testing.T) {
	b := newBed(t)
	proxy, client, _ := b.redisOver("none")
	e, _ := b.start(egress.Config{Instance: "one"}, client)
	b.active(e)
	nc := b.nats.Connect()
	confirm := func(rows int) {
		data, err := json.Marshal(event.NewPersistence("s", "ohlcv_1min", rows, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.Publish(stream.Persistence, data); err != nil {
			t.Fatal(err)
		}
	}
	channel := b.redis.Channels.Persistence
	testbed.Eventually(t, 10*time.Second, "a confirmation arrives", func(context.Context) bool {
		confirm(1)
		return len(b.on(channel)) > 0
	})
	proxy.Cut()
	for i := range 50 {
		confirm(100 + i)
	}
	testbed.Eventually(t, 20*time.Second, "it tries in vain", func(context.Context) bool { return e.Report().Failures > 2 })
	proxy.Restore()
	next := 100
	testbed.Eventually(t, 10*time.Second, "all confirmations arrive, in order", func(context.Context) bool {
		next = 100
		for _, payload := range b.on(channel) {
			var p event.Persistence
			if err := json.Unmarshal([]byte(payload), &p); err != nil {
				t.Fatal(err)
			}
			if p.Rows == next {
				next++
			}
		}
		return next == 150
	})
}

// Whoever is killed is succeeded at once, exactly where it was.
func TestAKilledEgressIsSucceeded(t *testing.T) {
	b := newBed(t)
	natsProxy, nc := b.natsOver()
	redisProxy, client, _ := b.redisOver("none")
	first, _ := b.startOn(egress.Config{Instance: "one"}, client, nc)
	b.active(first)
	second, _ := b.start(egress.Config{Instance: "two"}, b.redis.Client())
	const n = 2000
	sent := make(chan struct{})
	go func() { // ends with its last result
		defer close(sent)
		b.flood("A", n)
	}()
	testbed.Eventually(t, 20*time.Second, "the first sends", func(context.Context) bool { return b.count(b.redis.Channels.Indicators) > 300 })
	natsProxy.Cut()
	redisProxy.Cut()
	killed := time.Now()
	testbed.Eventually(t, 20*time.Second, "the second leads", func(context.Context) bool { return second.Report().Active })
	<-sent
	b.arrived(n - 1)
	if took := time.Since(killed); took > 15*time.Second {
		t.Errorf("the takeover took %v", took)
	}
	if again := b.inOrder(n); again > 0 {
		t.Errorf("%d results came twice", again)
	}
}

// A batch whose answer was lost is out: it is not sent again.
func TestALostAnswerOfRedisSendsNothingTwice(t *testing.T) {
	b := newBed(t)
	options, err := redis.ParseURL(b.redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	wire := testbed.NewWire()
	options.Dialer, options.MaxRetries = wire.DialContext, -1
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	e, _ := b.start(egress.Config{Instance: "one"}, client)
	b.active(e)
	b.indicator("A", 0, 0)
	b.confirmed(e, 1)
	wire.Mute()
	b.indicator("A", 1, 0)
	b.arrived(1)
	wire.Cut()
	wire.Unmute()
	b.indicator("A", 2, 0)
	b.arrived(2)
	if again := b.inOrder(3); again > 0 {
		t.Errorf("sent again: %v", b.values())
	}
	if got := e.Report().Channels[b.redis.Channels.Indicators].Published; got != 3 {
		t.Errorf("%d counted as published, want 3", got)
	}
}

// A stop does not wait for a Redis that is away, and what it could not send the
// next one sends.
func TestAStopDoesNotWaitForRedis(t *testing.T) {
	b := newBed(t)
	proxy, client, _ := b.redisOver("none")
	first, stop := b.start(egress.Config{Instance: "one"}, client)
	b.active(first)
	b.indicator("A", 0, 0)
	b.confirmed(first, 1)
	proxy.Cut()
	b.indicator("A", 1, 0)
	testbed.Eventually(t, 10*time.Second, "it tries in vain", func(context.Context) bool { return first.Report().Failures > 0 })
	testbed.Eventually(t, 10*time.Second, "it tells what waits", func(context.Context) bool { return first.Report().Pending["egress_indicators"] == 1 })
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	b.indicator("A", 2, 0)
	b.start(egress.Config{Instance: "two"}, b.redis.Client())
	b.arrived(2)
	b.inOrder(3)
}

// An egress may start before NATS has streams, and outlives the server.
func TestEgressOutlivesNATS(t *testing.T) {
	b := newBareBed(t)
	e, _ := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.ensure()
	b.active(e)
	b.indicator("A", 0, 0)
	b.arrived(0)
	b.nats.Stop()
	b.nats.Start()
	testbed.Eventually(t, 20*time.Second, "NATS takes results again", func(ctx context.Context) bool {
		// A request that was on its way when the server went is never answered.
		ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		_, err := b.js.Stream(ctx, stream.Signals)
		return err == nil
	})
	b.indicator("A", 1, 0)
	b.arrived(1)
	b.inOrder(2)
}

// Redis that was emptied and knows nobody is no reason to stop, or to send
// anything twice.
func TestAnEmptiedRedisIsClaimedAgain(t *testing.T) {
	b := newBed(t)
	e, stop := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(e)
	b.indicator("A", 0, 0)
	b.arrived(0)
	forget := func() {
		if err := b.redis.Client().Del(t.Context(), b.redis.Channels.Indicators+":sender").Err(); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	b.indicator("A", 1, 0)
	b.arrived(1)
	stop()
	forget()
	b.indicator("A", 2, 0)
	b.start(egress.Config{Instance: "two"}, b.redis.Client())
	b.arrived(2)
	if again := b.inOrder(3); again > 0 {
		t.Errorf("sent again: %v", b.values())
	}
}

// A stream that is made anew begins at 1 again, and all of it goes out.
func TestAStreamMadeAnewIsSentFromItsBeginning(t *testing.T) {
	b := newBed(t)
	e, _ := b.start(egress.Config{Instance: "one"}, b.redis.Client())
	b.active(e)
	for i := range 3 {
		b.indicator("A", float64(i), 0)
	}
	b.arrived(2)
	if err := b.js.DeleteStream(t.Context(), stream.Signals); err != nil {
		t.Fatal(err)
	}
	b.ensure()
	b.indicator("A", 3, 0)
	b.indicator("A", 4, 0)
	b.arrived(4)
	if again := b.inOrder(5); again > 0 {
		t.Errorf("sent again: %v", b.values())
	}
}
