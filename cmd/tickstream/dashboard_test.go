package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/feed"
	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const (
	// chromiumEnv names the variable with the path of a Chromium. Without it what
	// is tested is what the page is sent, not what it makes of it.
	chromiumEnv = "TICKSTREAM_TEST_CHROMIUM"
	// noWordWithin is how soon a page says that health is gone.
	noWordWithin = 10 * time.Second
	noWord       = "no word"
)

// view is what somebody who looks at the dashboard sees.
type view struct {
	Word     string   `json:"word"`     // the status
	Active   int      `json:"active"`   // symbols
	Measured string   `json:"measured"` // when
	Broken   []string `json:"broken"`   // hops
	Blamed   string   `json:"blamed"`   // the first issue; empty where there is none
	Loads    int      `json:"loads"`    // of the page
	Since    int64    `json:"since"`    // when the status became what it is, Unix milliseconds
}

// viewer looks at a dashboard that is open already.
type viewer interface {
	look(t *testing.T) view
	// picture keeps what is seen, if that can be.
	picture(t *testing.T, name string)
	// expectFaults says that what the page asks for will fail, or must not.
	expectFaults(expected bool)
	// close reports what went wrong on the page.
	close(t *testing.T)
}

// healthProcess is health in a process of its own, which can be killed.
type healthProcess struct {
	t    *testing.T
	args []string
	cmd  *exec.Cmd
}

func (h *healthProcess) start() {
	h.t.Helper()
	h.cmd = exec.CommandContext(h.t.Context(), os.Args[0], h.args...)
	h.cmd.Env = append(os.Environ(), mainEnv+"=1")
	if err := h.cmd.Start(); err != nil {
		h.t.Fatalf("start health: %v", err)
	}
}

func (h *healthProcess) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait() // killed
}

// freeAddress is a port that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// The dashboard as people see it, from the start of the system over the end of
// its parts to their return, without a reload.
func TestDashboardShowsWhatHappens(t *testing.T) {
	s := startTestServers(t)
	appV2 := s.listenAsAppV2(t)
	defer func() { _ = appV2.Close() }()
	stored := time.Now()
	if os.Getenv(picturesEnv) != "" {
		s.storePast(t)
	}
	start(t, "", s.with("bridge", "--spool", "off")...)
	pipeline := start(t, "", "pipeline", "--nats", s.nats.URL())
	if os.Getenv(picturesEnv) != "" {
		testbed.Eventually(t, time.Minute, "the past has its bars, and no rate is measured of it any more", func(ctx context.Context) bool {
			bars, err := s.js.Stream(ctx, stream.Bars)
			return err == nil && bars.CachedInfo().State.Msgs >= uint64(len(pastSymbols)*pastMinutes) && time.Since(stored) > 12*time.Second
		})
	}

	address := freeAddress(t)
	health := &healthProcess{t: t, args: s.with("health", "--http", address, "--session", "always", "--health-interval", "1s")}
	health.start()
	t.Cleanup(func() { health.kill() })
	testbed.Eventually(t, 30*time.Second, "health listens", func(context.Context) bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})

	var v viewer
	if chromium := os.Getenv(chromiumEnv); chromium != "" {
		v = openBrowser(t, chromium, "http://"+address+"/")
	} else {
		t.Log("without " + chromiumEnv + ": what the page is sent")
		v = openStream(t, "http://"+address+"/api/events")
	}
	sees := func(what string, ok func(view) bool) (seen view) {
		t.Helper()
		testbed.Eventually(t, 90*time.Second, "the page shows "+what, func(context.Context) bool {
			seen = v.look(t)
			return ok(seen)
		})
		return seen
	}
	healthy := func(seen view) bool { return seen.Word == "healthy" && seen.Active == 60 && len(seen.Broken) == 0 }

	sees("starting", func(seen view) bool { return seen.Word == "starting" })
	publish := func() *command {
		return start(t, "", "sim", "--redis", s.redis.URL, "--redis-namespace", s.namespace(), "--channel", s.redis.Channels.Ticks)
	}
	live := publish()
	first := sees("healthy with 60 symbols", healthy)
	sees("a later measurement", func(seen view) bool { return healthy(seen) && seen.Measured != first.Measured })
	v.picture(t, "healthy")

	live.stop()
	sees("why it is degraded", func(seen view) bool {
		return seen.Word == "degraded" && slices.Equal(seen.Broken, []string{"redis"}) && blames(seen, cause.NoPublisher)
	})
	v.picture(t, "degraded")
	publish()
	sees("healthy again", healthy)

	pipeline.stop()
	sees("the broken hop", func(seen view) bool { return seen.Word == "error" && slices.Equal(seen.Broken, []string{"pipeline"}) })
	v.picture(t, "error")
	start(t, "", "pipeline", "--nats", s.nats.URL())
	sees("healthy again", healthy)

	v.expectFaults(true)
	killed := time.Now()
	health.kill()
	gone := sees(noWord, func(seen view) bool { return seen.Word == noWord })
	if !slices.Equal(gone.Broken, []string{"health"}) || !blames(gone, cause.HealthDead) {
		t.Errorf("when health is gone the page shows %+v", gone)
	}
	if took := time.UnixMilli(gone.Since).Sub(killed); took > noWordWithin {
		t.Errorf("the page says that health is gone %v after it was killed", took)
	} else {
		t.Logf("the page says that health is gone %.1f s after it was killed", took.Seconds())
	}
	v.picture(t, "no-word")
	health.start()
	sees("healthy when health is back", healthy)
	v.expectFaults(false)
	if last := sees("the present", healthy); last.Loads != first.Loads {
		t.Errorf("the page was loaded %d times", last.Loads)
	}
	v.close(t)
}

const (
	pastMinutes = 40
	pastTicks   = 5 // a minute
)

var pastSymbols = []string{"AAPL", "MSFT", "NVDA", "JPM"}

var tickTime = regexp.MustCompile(`"timestamp": [0-9.]+`)

// storePast stores ticks of the last minutes, so that pictures have bars in them.
// They lead up to the prices with which sim begins: it is what sim goes on to
// make, backwards.
func (s *testServers) storePast(t *testing.T) {
	t.Helper()
	all, err := universe.Load(t.Context(), universe.Config{}, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	generator, err := feed.NewGenerator(feed.Config{Symbols: all.Symbols})
	if err != nil {
		t.Fatal(err)
	}
	const step = time.Minute / pastTicks
	now := time.Now()
	ticks := map[string][][]byte{}
	for i := range pastMinutes * pastTicks {
		for range all.Symbols { // each in its turn
			tick := generator.Next(now.Add(time.Duration(i) * step))
			ticks[tick.Symbol] = append(ticks[tick.Symbol], tick.Payload)
		}
	}
	for back := pastMinutes * pastTicks; back > 0; back-- {
		at := fmt.Appendf(nil, `"timestamp": %.3f`, float64(now.Add(-time.Duration(back)*step).UnixMilli())/1000)
		for _, symbol := range pastSymbols {
			payload := tickTime.ReplaceAll(ticks[symbol][back-1], at)
			if _, err := s.js.Publish(t.Context(), stream.TickSubject(symbol), payload); err != nil {
				t.Fatalf("store a tick of the past: %v", err)
			}
		}
	}
}

// blames tells that the first issue is a cause, with what to do about it.
func blames(seen view, c cause.Cause) bool {
	return strings.HasPrefix(strings.ToLower(seen.Blamed), strings.ToLower(c.Says)+": ") && strings.Contains(seen.Blamed, c.Mend)
}

func TestDashboardReplaysOnlyWhereNobodyIsHurt(t *testing.T) {
	s := startTestServers(t)
	p, err := connectProcess("test", natsConfig{URL: s.nats.URL()}, redisConfig{URL: s.redis.URL}, s.namespace(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	start(t, "", s.with("bridge", "--spool", "off", "--channel", "somewhere")...)
	testbed.Eventually(t, 20*time.Second, "the bridge reports", func(ctx context.Context) bool {
		host, err := bridgeThatReads(ctx, s.js, "somewhere")
		return err == nil && host != ""
	})
	c, usual := s.redis.Channels, event.NewChannels(event.DefaultNamespace)
	for channel, want := range map[string]string{
		c.Ticks: "live channel", c.RawTicks: "live channel", usual.Ticks: "live channel", c.Health: "AppV2 expects", usual.Patterns: "AppV2 expects",
		c.Errors: "AppV2 expects", "somewhere": "would store these ticks a second time",
	} {
		if _, err := p.openReplaySink(t.Context(), channel); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", channel, err, want)
		}
	}
	if _, err := p.openReplaySink(t.Context(), c.Replay); err != nil {
		t.Errorf("the channel that is proposed: %v", err)
	}
}
