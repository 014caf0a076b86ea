package bridge_test

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// pair is a leader whose wires to NATS and Redis a test can break, and a bridge
// on standby.
type pair struct {
	*bed
	nats, redis     *testbed.Wire
	natsPath        *testbed.Proxy // the leader's, on the way of that wire
	leader, standby *run
}

// detour dials a proxy, whatever it is told to dial.
type detour struct {
	*testbed.Wire
	proxy *testbed.Proxy
}

func (d detour) Dial(network, _ string) (net.Conn, error) {
	return d.Wire.Dial(network, d.proxy.Addr())
}

func newPair(t *testing.T) *pair {
	t.Helper()
	b := newBed(t)
	b.cfg.SilenceTimeout = 2 * time.Second
	p := &pair{bed: b, nats: testbed.NewWire(), redis: testbed.NewWire()}
	server, err := url.Parse(b.nats.URL())
	if err != nil {
		t.Fatal(err)
	}
	p.natsPath = testbed.StartProxy(t, server.Host)
	js := jetStream(t, b.nats.Connect(nats.SetCustomDialer(detour{p.nats, p.natsPath})))
	p.leader = b.startWith(b.named("first"), b.redisOver(p.redis), js)
	b.eventually("the first leads", func() bool { return len(b.stored(stream.Ticks, stream.AllClockMarks)) > 0 })
	p.standby = b.launch(b.named("second"), b.redis.Client(), b.nats.JetStream())
	b.eventually("the second on standby", func() bool {
		report := p.standby.report()
		return report.State == presence.StateStandby && report.Subscribed
	})
	return p
}

// aligned waits until the standby can tell what the leader has stored, which it
// shows by letting go of what was read.
func (p *pair) aligned() {
	p.Helper()
	p.eventually("aligned", func() bool {
		p.publish(tickOf("ALIGN", 1))
		return p.standby.report().Received > 0
	})
	p.eventually("all stored and let go of", func() bool {
		return p.standby.report().QueuedTicks == 0 && p.leader.report().QueuedTicks == 0
	})
}

// expectAll is expectTicks, whatever was published to align.
func (p *pair) expectAll(want map[string][]string) {
	p.Helper()
	p.eventually("all stored", func() bool {
		n := 0
		for _, ticks := range want {
			n += len(ticks)
		}
		aligning := len(p.stored(stream.Ticks, stream.TickFilter("ALIGN")))
		return len(p.stored(stream.Ticks, stream.AllTicks)) >= n+aligning
	})
	for _, msg := range p.stored(stream.Ticks, stream.TickFilter("ALIGN")) {
		want["ALIGN"] = append(want["ALIGN"], string(msg.Data()))
	}
	p.expectTicks(want)
}

// identical is n ticks whose bytes are the same.
func identical(n int) (payloads []string, want map[string][]string) {
	one := tickOf("SAME", 1)
	for range n {
		payloads = append(payloads, one)
	}
	return payloads, map[string][]string{"SAME": payloads}
}

// The leader loses NATS with ticks on its hands, or hears nothing from it for a
// while; the standby stores them, each once and in order, also where they are
// identical to the byte.
func TestStandbyStoresWhatTheLeaderHad(t *testing.T) {
	faults := map[string]struct{ begin, end func(*pair) }{
		"cut":  {func(p *pair) { p.nats.SetDown(true) }, func(p *pair) { p.nats.SetDown(false) }},
		"hang": {func(p *pair) { p.natsPath.Stall() }, func(p *pair) { p.natsPath.Restore() }},
	}
	for name, make := range map[string]func(int) ([]string, map[string][]string){"different": traffic, "identical": identical} {
		for kind, fault := range faults {
			t.Run(name+" "+kind, func(t *testing.T) {
				p := newPair(t)
				p.aligned()
				payloads, want := make(6000)
				p.publish(payloads[:2000]...)
				p.eventually("some stored", func() bool { return p.leader.report().Stored > 500 })
				fault.begin(p)
				p.publish(payloads[2000:4000]...)
				p.eventually("the second leads", func() bool { return p.standby.report().State == presence.StateActive })
				p.publish(payloads[4000:5000]...)
				p.eventually("stored by the second", func() bool {
					return p.standby.report().QueuedTicks == 0 && p.standby.report().Stored > 0
				})
				fault.end(p)
				p.eventually("the first on standby", func() bool { return p.leader.report().State == presence.StateStandby })
				p.publish(payloads[5000:]...)
				p.eventually("the first let go of all", func() bool { return p.leader.report().QueuedTicks == 0 })
				p.expectAll(want)
				for _, r := range []*run{p.leader, p.standby} {
					if report := r.report(); report.Shed != 0 || report.Gaps != 0 {
						t.Errorf("report = %+v", report)
					}
				}
			})
		}
	}
}

// The leader misses what Redis says, and the standby hears it.
func TestStandbyLeadsWhereTheLeaderMissed(t *testing.T) {
	p := newPair(t)
	p.aligned()
	payloads, want := traffic(3000)
	p.publish(payloads[:1000]...)
	p.eventually("standby known to hear", func() bool {
		for _, msg := range p.storedPresence() {
			if strings.Contains(msg, `"second"`) && strings.Contains(msg, `"subscribed":true`) && strings.Contains(msg, `"standby"`) {
				return true
			}
		}
		return false
	})
	p.redis.SetDown(true)
	p.publish(payloads[1000:2000]...)
	p.eventually("the loss", func() bool { return p.leader.report().Gaps == 1 })
	p.redis.SetDown(false)
	p.eventually("subscribed again", func() bool { return p.leader.report().Subscribed })
	p.publish(payloads[2000:]...)
	p.eventually("the second leads", func() bool { return p.standby.report().State == presence.StateActive })
	p.expectAll(want)
	if gaps := p.stored(stream.Health, stream.HealthGap); len(gaps) != 0 {
		t.Errorf("a gap, though the second heard all: %s", gaps[0].Data())
	}
}

// storedPresence are the values of the components' bucket.
func (p *pair) storedPresence() (values []string) {
	bucket, err := p.js.KeyValue(p.Context(), stream.ComponentsBucket)
	if err != nil {
		p.Fatalf("open the components bucket: %v", err)
	}
	keys, err := bucket.Keys(p.Context())
	if err != nil {
		return nil
	}
	for _, key := range keys {
		if entry, err := bucket.Get(p.Context(), key); err == nil {
			values = append(values, string(entry.Value()))
		}
	}
	return values
}

// A bridge that starts while nobody leads takes the lease before the one that was
// on standby, which alone has what came meanwhile: that one is to lead.
func TestOneThatHeardMoreLeads(t *testing.T) {
	p := &pair{bed: newBed(t), nats: testbed.NewWire()}
	p.leader = p.startWith(p.named("first"), p.bed.redis.Client(), p.bed.nats.JetStream())
	p.eventually("the first leads", func() bool { return len(p.stored(stream.Ticks, stream.AllClockMarks)) > 0 })
	p.standby = p.launch(p.named("second"), p.bed.redis.Client(), jetStream(t, p.bed.nats.Connect(nats.SetCustomDialer(dialer{p.nats}))))
	p.aligned()
	payloads, want := traffic(3000)
	p.publish(payloads[:1000]...)
	p.eventually("stored, and the second is known", func() bool {
		if p.standby.report().QueuedTicks > 0 || p.leader.report().QueuedTicks > 0 {
			return false
		}
		for _, msg := range p.storedPresence() {
			if strings.Contains(msg, `"second"`) && strings.Contains(msg, `"standby"`) {
				return true
			}
		}
		return false
	})
	p.nats.SetDown(true)
	if err := p.leader.stop(); err != nil {
		t.Fatal(err)
	}
	p.publish(payloads[1000:2000]...) // heard by the second only
	third := p.launch(p.named("third"), p.bed.redis.Client(), p.bed.nats.JetStream())
	p.eventually("the third hears", func() bool { return third.report().Subscribed })
	p.publish(payloads[2000:]...)
	p.eventually("heard", func() bool { return third.report().Received == 1000 })
	p.nats.SetDown(false)
	p.expectAll(want)
	if gaps := p.stored(stream.Health, stream.HealthGap); len(gaps) != 0 {
		t.Errorf("a gap, though the second heard all: %s", gaps[0].Data())
	}
}

// What only the bridge heard that does not lead is stored all the same.
func TestWhatOnlyTheOtherHeardIsStored(t *testing.T) {
	b := newBed(t)
	wire := testbed.NewWire()
	early := b.startWith(b.named("early"), b.redis.Client(), jetStream(t, b.nats.Connect(nats.SetCustomDialer(dialer{wire}))))
	payloads, want := traffic(2000)
	b.publish(payloads[:500]...)
	b.eventually("stored", func() bool { return early.report().Stored == 500 })
	wire.SetDown(true)
	b.publish(payloads[500:1000]...) // heard by the early one only
	b.eventually("heard", func() bool { return early.report().Received == 1000 })
	late := b.launch(b.named("late"), b.redis.Client(), b.nats.JetStream())
	b.eventually("the late one leads", func() bool { return late.report().State == presence.StateActive && late.report().Subscribed })
	b.publish(payloads[1000:1500]...)
	b.eventually("both have heard", func() bool { return late.report().Stored == 500 && early.report().Received == 1500 })
	wire.SetDown(false)
	b.eventually("the early one on standby", func() bool { return early.report().State == presence.StateStandby })
	b.publish(payloads[1500:]...)
	b.eventually("its own stored", func() bool { return early.report().Stored == 1000 && early.report().QueuedTicks == 0 })
	b.eventually("the rest stored", func() bool { return late.report().Stored == 1000 })
	seen, marked := map[string]int{}, 0
	for _, msg := range b.stored(stream.Ticks, stream.AllTicks) {
		seen[string(msg.Data())]++
		if msg.Headers().Get("Tick-Late") != "" {
			marked++
		}
	}
	if marked != 500 {
		t.Errorf("%d ticks are marked as late, want the 500 of the early one", marked)
	}
	for symbol, ticks := range want {
		for _, tick := range ticks {
			if seen[tick] != 1 {
				t.Fatalf("a tick of %s is stored %d times", symbol, seen[tick])
			}
		}
	}
}

func TestSpoolOutlivesTheBridge(t *testing.T) {
	b := newBed(t)
	b.spool = t.TempDir()
	wire := testbed.NewWire()
	cut := func() *run {
		return b.launch(b.named("one"), b.redis.Client(), jetStream(t, b.nats.Connect(nats.SetCustomDialer(dialer{wire}), nats.RetryOnFailedConnect(true))))
	}
	first := cut()
	payloads, want := traffic(4000)
	b.eventually("subscribed", func() bool { return first.report().Subscribed })
	b.publish(payloads[:1000]...)
	b.eventually("stored", func() bool { return first.report().Stored == 1000 })
	wire.SetDown(true)
	b.publish(payloads[1000:2000]...)
	b.eventually("spooled", func() bool { return first.report().SpooledTicks == 1000 })
	b.publish(payloads[2000:2500]...)
	b.eventually("read", func() bool { return first.report().Received == 2500 })
	if err := first.stop(); err != nil {
		t.Fatalf("stop = %v, though all can be spooled", err)
	}
	second := cut()
	b.eventually("subscribed", func() bool { return second.report().Subscribed })
	if report := second.report(); report.SpooledTicks != 1500 {
		t.Errorf("%d spooled ticks taken up, want 1500", report.SpooledTicks)
	}
	b.publish(payloads[2500:]...)
	b.eventually("read", func() bool { return second.report().Received == 1500 })
	wire.SetDown(false)
	b.eventually("all stored", func() bool { return second.report().Stored == 3000 && second.report().SpooledBytes == 0 })
	b.expectTicks(want)
	b.eventually("the time between the two told", func() bool { return len(b.stored(stream.Health, stream.HealthGap)) == 1 })
	if report := second.report(); report.Shed != 0 || report.SpoolFailure != "" {
		t.Errorf("report = %+v", report)
	}
}

func TestSymbolsAreBounded(t *testing.T) {
	b := newBed(t)
	b.cfg.MaxSymbols = 10
	r := b.start(b.cfg)
	for n := range 50 {
		b.publish(tickOf(fmt.Sprintf("MADE%d", n), n), tickOf("MADE3", 100+n))
	}
	b.eventually("the flood refused", func() bool { return r.report().Rejected["too_many_symbols"] == 40 })
	b.eventually("the known ones stored", func() bool { return r.report().Stored == 60 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	// A restart gives it no new room.
	again := b.start(b.cfg)
	b.publish(tickOf("MORE", 1), tickOf("MADE3", 1))
	b.eventually("refused still", func() bool {
		return again.report().Rejected["too_many_symbols"] == 1 && again.report().Stored == 1
	})
	if report := again.report(); report.Symbols != 10 {
		t.Errorf("%d symbols", report.Symbols)
	}
}

func TestUniverseIsAFilter(t *testing.T) {
	b := newBed(t)
	b.cfg.Universe = []string{"AAPL", "BRK.B"}
	r := b.start(b.cfg)
	b.publish(tickOf("AAPL", 1), tickOf("aapl", 2), tickOf("TSLA", 3), tickOf("BRK.B", 4))
	b.eventually("two stored, two refused", func() bool {
		return r.report().Stored == 2 && r.report().Rejected["not_in_universe"] == 2
	})
}
