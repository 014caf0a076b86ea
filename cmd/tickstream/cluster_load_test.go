package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
)

// loadSymbols are published in turn.
var loadSymbols = []string{"AAPL", "BRK.B", "MSFT", "^SPX"}

// clusterLoad is AppV2: it publishes numbered ticks until it is stopped.
type clusterLoad struct {
	t       *testing.T
	client  *redis.Client
	channel string
	stop    chan struct{}
	wg      sync.WaitGroup

	mu   sync.Mutex
	sent map[string]int // the number of the last, by symbol
}

// tickNumber is a tick's own count, in its volume.
type tickNumber struct {
	Symbol string `json:"symbol"`
	Volume int    `json:"volume"`
}

func (l *clusterLoad) publish(symbol string, at time.Time) {
	l.mu.Lock()
	l.sent[symbol]++
	n := l.sent[symbol]
	l.mu.Unlock()
	payload := fmt.Sprintf(`{"type":"market_tick","symbol":%q,"price":%d.%02d,"volume":%d,"timestamp":%d.%03d,"source":"test"}`,
		symbol, 100+n%7, n%100, n, at.Unix(), at.UnixMilli()%1000)
	if err := l.client.Publish(l.t.Context(), l.channel, payload).Err(); err != nil && l.t.Context().Err() == nil {
		l.t.Errorf("publish: %v", err)
	}
}

// run first publishes an hour of bars, as a feed does that is started late;
// then live ticks, and now and then a late one.
func (l *clusterLoad) run() {
	for minute := 50; minute > 1; minute-- {
		for _, symbol := range loadSymbols {
			l.publish(symbol, time.Now().Add(-time.Duration(minute)*time.Minute))
		}
	}
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-l.stop:
			return
		case <-l.t.Context().Done():
			return
		case <-pace.C:
		}
		for k := range loadSymbols {
			at := time.Now()
			if k == 0 && i%100 == 0 {
				at = at.Add(-3 * time.Minute)
			}
			l.publish(loadSymbols[k], at)
		}
	}
}

func (l *clusterLoad) last(symbol string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent[symbol]
}

func (l *clusterLoad) end() {
	close(l.stop)
	l.wg.Wait()
}

// clusterRun is a bridge and two pipelines as processes of their own on a
// cluster, under load.
type clusterRun struct {
	t *testing.T
	*cluster
	*clusterLoad
	bridge *exec.Cmd
	work   *pipelines
}

func (c *cluster) run() *clusterRun {
	t := c.t
	server := testbed.StartRedis(t)
	r := &clusterRun{t: t, cluster: c, clusterLoad: &clusterLoad{
		t: t, client: server.Client(), channel: server.Channels.Ticks, stop: make(chan struct{}), sent: map[string]int{},
	}}
	r.bridge = exec.CommandContext(t.Context(), os.Args[0], "bridge", "--nats", c.urls("bridge"), "--redis", server.URL,
		"--channel", r.channel, "--spool", t.TempDir(), "--replicas", "3", "--partitions", strconv.Itoa(crashPartitions))
	r.bridge.Env = append(os.Environ(), mainEnv+"=1")
	var said output
	r.bridge.Stderr = &said
	if err := r.bridge.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.bridge.Process.Kill()
		_ = r.bridge.Wait()
		if t.Failed() {
			t.Logf("the bridge said\n%s", &said)
		}
	})
	r.work = &pipelines{t: t, url: c.urls("pipeline"), args: []string{"--replicas", "3", "--partitions", strconv.Itoa(crashPartitions)}}
	t.Cleanup(func() {
		r.work.stop()
		if t.Failed() {
			t.Logf("the pipelines said\n%s", &r.work.said)
		}
	})
	r.work.start()
	r.work.start()
	testbed.Eventually(t, 60*time.Second, "the bridge listens", func(ctx context.Context) bool {
		heard, err := r.client.PubSubNumSub(ctx, r.channel).Result()
		return err == nil && heard[r.channel] == 1
	})
	r.wg.Go(r.clusterLoad.run) // ends with end, or the test
	return r
}

// flows waits until a tick that is published from now on is stored, and then
// until all partitions have worked through to there, and notes how long it took.
func (r *clusterRun) flows(js jetstream.JetStream, after string) {
	r.t.Helper()
	began := time.Now()
	next := r.last(loadSymbols[0]) + 1
	var sequence uint64
	testbed.Eventually(r.t, 90*time.Second, "ticks are stored "+after, func(ctx context.Context) bool {
		number, at := lastNumber(ctx, js, loadSymbols[0])
		sequence = at
		return number >= next
	})
	stored := time.Since(began)
	testbed.Eventually(r.t, 90*time.Second, "bars are made "+after, func(ctx context.Context) bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		for p := range crashPartitions {
			consumer, err := js.Consumer(ctx, stream.Ticks, "pipeline_"+strconv.Itoa(p))
			if err != nil {
				return false
			}
			if info := consumer.CachedInfo(); info.AckFloor.Stream < sequence && info.NumPending+uint64(info.NumAckPending) > 100 { //nolint:gosec // a count
				return false
			}
		}
		return true
	})
	r.t.Logf("%s: ticks are stored after %v, worked through after %v", after, stored.Round(10*time.Millisecond), time.Since(began).Round(10*time.Millisecond))
}

// lastNumber is the number of the last tick of a symbol, and where it is; 0
// where nobody answers within a second.
func lastNumber(ctx context.Context, js jetstream.JetStream, symbol string) (number int, sequence uint64) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	msg, err := stream.AtLeader(ctx, js, stream.Ticks, stream.Place{Last: "tickstock.ticks.*." + stream.EncodeSymbol(symbol)})
	if err != nil {
		return 0, 0
	}
	var tick tickNumber
	if json.Unmarshal(msg.Data, &tick) != nil {
		return 0, 0
	}
	return tick.Volume, msg.Sequence
}

// check ends the load and compares: each tick once and in order, and all that
// was made of them.
func (r *clusterRun) check(js jetstream.JetStream) {
	r.t.Helper()
	r.end()
	for _, symbol := range loadSymbols {
		testbed.Eventually(r.t, 60*time.Second, "the last tick of "+symbol+" is stored", func(ctx context.Context) bool {
			number, _ := lastNumber(ctx, js, symbol)
			return number == r.last(symbol)
		})
	}
	// Behind the last correction: what comes late is gathered until a mark says
	// that its time is over.
	ended := time.Now().Add(5 * time.Second)
	for p := range crashPartitions {
		testbed.Eventually(r.t, 60*time.Second, "clock marks behind the last tick", func(ctx context.Context) bool {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			msg, err := stream.AtLeader(ctx, js, stream.Ticks, stream.Place{Last: stream.ClockSubject(p)})
			var mark event.ClockMark
			return err == nil && json.Unmarshal(msg.Data, &mark) == nil && mark.Time.After(ended)
		})
	}
	if err := r.bridge.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.bridge.Wait(); err != nil { // it has stored all that it read
		r.t.Errorf("the bridge: %v", err)
	}
	r.everywhere(js)
	stored := map[string]int{}
	err := oracle.Each(r.t.Context(), js, stream.Ticks, []string{stream.AllTicks}, func(msg jetstream.Msg, seq uint64) error {
		var number tickNumber
		if err := json.Unmarshal(msg.Data(), &number); err != nil {
			return err
		}
		if before := stored[number.Symbol]; number.Volume != before+1 {
			r.t.Errorf("at %d tick %d of %s follows %d", seq, number.Volume, number.Symbol, before)
		}
		stored[number.Symbol] = number.Volume
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	total := 0
	for _, symbol := range loadSymbols {
		if want := r.last(symbol); stored[symbol] != want {
			r.t.Errorf("%d ticks of %s are stored, %d were published", stored[symbol], symbol, want)
		}
		total += stored[symbol]
	}
	got := comparePublished(r.t, js)
	r.t.Logf("%d ticks, each once and in order", total)
	if len(got.Bars) < 100 || got.Corrected < 4 {
		r.t.Error("the traffic tests too little")
	}
}
