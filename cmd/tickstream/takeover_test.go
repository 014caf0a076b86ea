package main

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// takeoverBound is for a machine that is busy; what was measured is logged.
const takeoverBound = 5 * time.Second

// The bridge that leads is killed under load, again and again: its standby loses
// nothing, doubles nothing and sends on to AppV2 where it had come to.
func TestKilledLeaderCostsNoTick(t *testing.T) {
	s := startTestServers(t)
	heard := s.hearIndicators(t)
	leader := s.bridge(t, "--spool", t.TempDir())
	s.awaitBridge(t, leader, "leads", leads)
	l := s.newTickFeed()
	l.start(t)
	results := 0
	for range 3 {
		standby := s.bridge(t, "--spool", t.TempDir())
		s.awaitBridge(t, standby, "stands by", standsBy)
		for range 20 {
			s.storeIndicator(t, results)
			results++
		}
		leader.kill()
		for range 20 {
			s.storeIndicator(t, results)
			results++
		}
		s.awaitBridge(t, standby, "leads", leads)
		leader = standby
	}
	l.stop()
	pause := s.expectStored(t, l.sent)
	t.Logf("%d ticks over 3 kills, taken over within %v", l.count.Load(), pause)
	if pause > takeoverBound {
		t.Errorf("nothing was stored for %v", pause)
	}
	testbed.Eventually(t, 20*time.Second, "all results sent", func(context.Context) bool { return len(heard()) >= results })
	want := make([]float64, results)
	for i := range want {
		want[i] = float64(i)
	}
	if got := heard(); !slices.Equal(got, want) {
		t.Errorf("AppV2 got %v, want 0 to %d each once and in order", got, results-1)
	}
}

// storeIndicator stores a result whose value is its number.
func (s *testServers) storeIndicator(t *testing.T, n int) {
	t.Helper()
	end := time.Now().Truncate(time.Minute)
	data, err := json.Marshal(event.Indicator{
		Indicator: "RSI", Value: float64(n), Values: map[string]float64{"value": float64(n)},
		BarKey: event.BarKey{Symbol: "AAPL", Timeframe: "1min", Start: event.At(end.Add(-time.Minute)), End: event.At(end)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.js.Publish(t.Context(), stream.SignalSubject("indicator", "RSI", "AAPL"), data); err != nil {
		t.Fatal(err)
	}
}

// hearIndicators listens as AppV2 does.
func (s *testServers) hearIndicators(t *testing.T) (heard func() []float64) {
	t.Helper()
	sub := s.redis.Client().Subscribe(t.Context(), s.redis.Channels.Indicators)
	t.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var values []float64
	go func() { // ends with the subscription
		for msg := range sub.Channel(redis.WithChannelSize(10_000)) {
			var e struct {
				Calculation struct {
					Value float64 `json:"value"`
				} `json:"calculation"`
			}
			if json.Unmarshal([]byte(msg.Payload), &e) == nil {
				mu.Lock()
				values = append(values, e.Calculation.Value)
				mu.Unlock()
			}
		}
	}()
	return func() []float64 {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(values)
	}
}

// A bridge that stands still for longer than its lease, as in a long pause of its
// host, has been taken over from when it goes on, and doubles nothing: not even
// what the server no longer remembers as a duplicate.
func TestStalledLeaderDoublesNothing(t *testing.T) {
	s := startTestServersWith(t, stream.Config{DuplicateWindow: time.Second})
	leader := s.bridge(t, "--spool", t.TempDir())
	s.awaitBridge(t, leader, "leads", leads)
	standby := s.bridge(t, "--spool", t.TempDir())
	s.awaitBridge(t, standby, "stands by", standsBy)
	l := s.newTickFeed()
	l.start(t)
	for _, stalled := range []*child{leader, standby} {
		stalled.signal(syscall.SIGSTOP)
		other := leader
		if stalled == leader {
			other = standby
		}
		s.awaitBridge(t, other, "leads", leads)
		before := l.count.Load()
		testbed.Eventually(t, 30*time.Second, "more than the server remembers", func(context.Context) bool { return l.count.Load() > before+2000 })
		stalled.signal(syscall.SIGCONT)
		s.awaitBridge(t, stalled, "stands by", standsBy)
	}
	l.stop()
	t.Logf("%d ticks over 2 stalls, none stored for %v at most", l.count.Load(), s.expectStored(t, l.sent))
}

// One health publishes at a time on either bus; the other takes over, and their
// values never alternate.
func TestKilledHealthIsTakenOverFrom(t *testing.T) {
	s := startTestServers(t)
	if s.redis.Embedded != nil {
		go runRedisClock(t.Context(), s.redis.Embedded) // ends with the test
	}
	events := s.hearHealth(t)
	args := s.with("health", "--health-interval", "1s", "--http", "127.0.0.1:0", "--session", "always")
	first := spawn(t, args...)
	testbed.Eventually(t, 30*time.Second, "events on both buses", func(context.Context) bool {
		return len(events("redis")) >= 3 && len(events("nats")) >= 3
	})
	spawn(t, args...)
	count := func(bus string) int { return len(events(bus)) }
	redisBefore, natsBefore := count("redis"), count("nats")
	testbed.Eventually(t, 30*time.Second, "both run for a while", func(context.Context) bool {
		return count("redis") >= redisBefore+3 && count("nats") >= natsBefore+3
	})
	died := time.Now()
	first.kill()
	redisBefore, natsBefore = count("redis"), count("nats")
	testbed.Eventually(t, 30*time.Second, "the second publishes on both", func(context.Context) bool {
		return count("redis") >= redisBefore+3 && count("nats") >= natsBefore+3
	})
	for _, bus := range []string{"redis", "nats"} {
		changes, took := 0, time.Duration(0)
		all := events(bus)
		for i := 1; i < len(all); i++ {
			// Each process says how long it runs; that goes back where another speaks.
			if all[i].began.Sub(all[i-1].began).Abs() > 1500*time.Millisecond {
				changes++
				took = all[i].at.Sub(died)
			}
		}
		if changes != 1 || took > takeoverBound {
			t.Errorf("%s: the publisher changed %d times, %v after the kill", bus, changes, took)
		}
		t.Logf("%s: taken over within %v", bus, took)
	}
}

// healthHeard is an event: when it came, and when its process began.
type healthHeard struct{ at, began time.Time }

func (s *testServers) hearHealth(t *testing.T) (events func(bus string) []healthHeard) {
	t.Helper()
	var mu sync.Mutex
	heard := map[string][]healthHeard{}
	note := func(bus string, data []byte) {
		var e event.StreamingHealth
		if json.Unmarshal(data, &e) != nil {
			return
		}
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		heard[bus] = append(heard[bus], healthHeard{now, now.Add(-time.Duration(e.Health.UptimeSeconds) * time.Second)})
	}
	sub := s.redis.Client().Subscribe(t.Context(), s.redis.Channels.Health)
	t.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the subscription
		for msg := range sub.Channel() {
			note("redis", []byte(msg.Payload))
		}
	}()
	nc := s.nats.Connect()
	messages := make(chan []byte, 1000)
	if _, err := nc.Subscribe(stream.HealthStatus, func(msg *nats.Msg) { messages <- msg.Data }); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the test
		for {
			select {
			case data := <-messages:
				note("nats", data)
			case <-t.Context().Done():
				return
			}
		}
	}()
	return func(bus string) []healthHeard {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(heard[bus])
	}
}
