package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/calendar"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const patience = 15 * time.Second // for what takes long only on a busy machine

var quiet = slog.New(slog.DiscardHandler)

// rig is the two servers of a test.
type rig struct {
	t     *testing.T
	nats  *testbed.NATS
	redis *testbed.Redis
}

// newRig starts both servers with the streams in place.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := bareRig(t)
	r.ensure()
	return r
}

func bareRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, nats: testbed.StartNATS(t), redis: testbed.StartRedis(t)}
	if embedded := r.redis.Embedded; embedded != nil {
		// It does not let keys expire by itself.
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { // ends with the test
			ticker := time.NewTicker(50 * time.Millisecond)
			defer ticker.Stop()
			for last := time.Now(); ; {
				select {
				case <-ctx.Done():
					return
				case now := <-ticker.C:
					embedded.FastForward(now.Sub(last))
					last = now
				}
			}
		})
		t.Cleanup(func() { stop(); wg.Wait() })
	}
	return r
}

func (r *rig) ensure() {
	r.t.Helper()
	if _, err := stream.Ensure(r.t.Context(), r.nats.JetStream(), stream.Config{}, quiet); err != nil {
		r.t.Fatalf("ensure streams: %v", err)
	}
}

// link is one process's way to the servers, which a test can break.
type link struct {
	nats, redis *testbed.Proxy
	js          jetstream.JetStream
	client      *redis.Client
}

func (r *rig) link() *link {
	r.t.Helper()
	host := func(raw string) string {
		u, err := url.Parse(raw)
		if err != nil {
			r.t.Fatal(err)
		}
		return u.Host
	}
	l := &link{nats: testbed.StartProxy(r.t, host(r.nats.URL())), redis: testbed.StartProxy(r.t, host(r.redis.URL))}
	nc, err := nats.Connect("nats://"+l.nats.Addr(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond),
		nats.ReconnectBufSize(-1), nats.IgnoreDiscoveredServers(), nats.RetryOnFailedConnect(true))
	if err != nil {
		r.t.Fatalf("connect to nats: %v", err)
	}
	r.t.Cleanup(nc.Close)
	if l.js, err = jetstream.New(nc); err != nil {
		r.t.Fatal(err)
	}
	options, err := redis.ParseURL(r.redis.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	options.Addr, options.ContextTimeoutEnabled, options.DialTimeout = l.redis.Addr(), true, 2*time.Second
	l.client = redis.NewClient(options)
	r.t.Cleanup(func() { _ = l.client.Close() })
	return l
}

// plant is what a monitor observes: the facts that a test sets.
type plant struct {
	mu    sync.Mutex
	facts observe.Facts
	since []time.Time // of each session that was set
	found func(*observe.Facts)
}

func newPlant(active int) *plant {
	return &plant{facts: observe.Facts{
		At: time.Now(), TicksPerSecond: 15.2, ActiveSymbols: active, UniverseSize: 60, JetStream: observe.Reach{OK: true},
	}}
}

func (p *plant) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func (p *plant) Measure(context.Context) (observe.Facts, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		p.found(&p.facts)
	}
	return p.facts, nil
}

// onMeasure has each measurement find something.
func (p *plant) onMeasure(found func(*observe.Facts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = found
}

func (p *plant) Facts() observe.Facts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.facts
}

func (p *plant) set(change func(*observe.Facts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.facts)
}

func (p *plant) SetSession(_ []string, startedAt time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = append(p.since, startedAt)
}

// bench judges as a test says, degraded while a bus is away.
type bench struct {
	mu      sync.Mutex
	verdict observe.Verdict
	around  observe.Surroundings
}

func (b *bench) Verdict(_ observe.Facts, around observe.Surroundings) observe.Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.around = around
	v := b.verdict
	if v.Status == event.StatusHealthy && (!around.NATS.OK || !around.Redis.OK) {
		v.Status = event.StatusDegraded
	}
	return v
}

func (b *bench) rule(v observe.Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.verdict = v
}

type still struct{}

func (still) Sample() presence.Usage {
	return presence.Usage{CPUPercent: 12.1, MemoryBytes: 256 << 20, MemoryPercent: 1.6, Threads: 8}
}

// node is one running health process.
type node struct {
	t       *testing.T
	plant   *plant
	bench   *bench
	monitor *health.Monitor
	began   time.Time
	cancel  context.CancelFunc
	done    chan error
}

// setup is how a test's monitor differs from the usual one.
type setup struct {
	cfg    health.Config
	log    *slog.Logger
	active int // symbols, by which a test tells processes apart
	usual  universe.Universe
	rule   *observe.Verdict // at first; healthy if nil
	facts  *observe.Facts   // at first; those of a feed if nil
	offers []service.Config
}

func (r *rig) deps(l *link, s setup) (health.Deps, *plant, *bench) {
	r.t.Helper()
	cal, err := calendar.New(calendar.Config{})
	if err != nil {
		r.t.Fatal(err)
	}
	if s.active == 0 {
		s.active = 60
	}
	if s.log == nil {
		s.log = quiet
	}
	if s.usual.Key == "" {
		s.usual = universe.Universe{Key: universe.BuiltInKey, Symbols: make([]string, 60)}
	}
	plant, bench := newPlant(s.active), &bench{verdict: observe.Verdict{Status: event.StatusHealthy}}
	if s.facts != nil {
		plant.facts = *s.facts
	}
	if s.rule != nil {
		bench.rule(*s.rule)
	}
	return health.Deps{
		JetStream: l.js, Redis: l.client, Observer: plant, Judge: bench, Calendar: cal, Offers: s.offers,
		Universe: s.usual, Usage: still{}, Log: s.log,
	}, plant, bench
}

// start runs a monitor until the test ends or it is stopped.
func (r *rig) start(l *link, s setup) *node {
	r.t.Helper()
	deps, plant, bench := r.deps(l, s)
	s.cfg.Channels = r.redis.Channels
	if s.cfg.Mode == "" {
		s.cfg.Mode = session.ModeAlways
	}
	monitor, err := health.New(s.cfg, deps)
	if err != nil {
		r.t.Fatalf("make monitor: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &node{t: r.t, plant: plant, bench: bench, monitor: monitor, cancel: cancel, done: make(chan error, 1), began: time.Now()}
	go func() { n.done <- monitor.Run(ctx) }() // ends with stop
	r.t.Cleanup(n.stop)
	return n
}

// stop asks the process to end and waits until it has.
func (n *node) stop() {
	n.t.Helper()
	n.cancel()
	select {
	case err, open := <-n.done:
		if open {
			close(n.done)
		}
		if err != nil {
			n.t.Errorf("Run = %v", err)
		}
	case <-time.After(patience):
		n.t.Error("Run does not return")
	}
}

// sent is one event as a listener got it.
type sent struct {
	at      time.Time
	schema  string
	payload []byte
	health  event.StreamingHealth
	started event.SessionStarted
	stopped event.SessionStopped
	alert   event.CriticalAlert
}

// ear listens on one bus.
type ear struct {
	t      *testing.T
	name   string
	mu     sync.Mutex
	events []sent
}

func (e *ear) take(kind string, payload []byte) {
	s := sent{at: time.Now(), schema: kind, payload: payload}
	var into any
	switch kind {
	case schema.Health:
		into = &s.health
	case schema.SessionStarted:
		into = &s.started
	case schema.SessionStopped:
		into = &s.stopped
	case schema.CriticalAlert:
		into = &s.alert
	}
	if err := json.Unmarshal(payload, into); err != nil {
		e.t.Errorf("%s: %v", e.name, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, s)
}

// all returns the events of one kind, in order.
func (e *ear) all(kind string) []sent {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []sent
	for _, s := range e.events {
		if s.schema == kind {
			out = append(out, s)
		}
	}
	return out
}

// check validates everything that was heard against the schemas.
func (e *ear) check() {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.events {
		testbed.CheckEvent(e.t, s.schema, s.payload)
	}
}

// wait returns the first event of a kind that ok accepts.
func (e *ear) wait(kind, what string, ok func(sent) bool) sent {
	e.t.Helper()
	var found sent
	testbed.Eventually(e.t, patience, e.name+": "+what, func(context.Context) bool {
		for _, s := range e.all(kind) {
			if ok(s) {
				found = s
				return true
			}
		}
		return false
	})
	return found
}

func (e *ear) waitStatus(status event.Status) sent {
	e.t.Helper()
	return e.wait(schema.Health, string(status), func(s sent) bool { return s.health.Status == status })
}

// waitAfter returns the first event of a kind heard after the first n.
func (e *ear) waitAfter(n int, kind string) sent {
	e.t.Helper()
	var found sent
	testbed.Eventually(e.t, patience, e.name+": another "+kind, func(context.Context) bool {
		if all := e.all(kind); len(all) > n {
			found = all[n]
			return true
		}
		return false
	})
	return found
}

// ears listens on both buses, not through any link.
func (r *rig) ears() []*ear {
	r.t.Helper()
	return []*ear{r.natsEar(), r.redisEar()}
}

func (r *rig) redisEar() *ear {
	r.t.Helper()
	e := &ear{t: r.t, name: "redis"}
	c := r.redis.Channels
	kinds := map[string]string{
		c.Health: schema.Health, c.SessionStarted: schema.SessionStarted,
		c.SessionStopped: schema.SessionStopped, c.AlertsCritical: schema.CriticalAlert,
	}
	pubsub := r.redis.Client().Subscribe(r.t.Context(), c.Health, c.SessionStarted, c.SessionStopped, c.AlertsCritical)
	for range kinds {
		if _, err := pubsub.Receive(r.t.Context()); err != nil { // the confirmations
			r.t.Fatalf("subscribe: %v", err)
		}
	}
	var wg sync.WaitGroup
	messages := pubsub.Channel()
	wg.Go(func() { // ends with the subscription
		for m := range messages {
			e.take(kinds[m.Channel], []byte(m.Payload))
		}
	})
	r.t.Cleanup(func() { _ = pubsub.Close(); wg.Wait() })
	return e
}

func (r *rig) natsEar() *ear {
	r.t.Helper()
	e := &ear{t: r.t, name: "nats"}
	kinds := map[string]string{
		stream.HealthStatus: schema.Health, stream.SessionStarted: schema.SessionStarted,
		stream.SessionStopped: schema.SessionStopped, stream.HealthAlert: schema.CriticalAlert,
	}
	js := r.nats.JetStream()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { // ends with ctx
		for next := uint64(1); ctx.Err() == nil; {
			next = e.drain(ctx, js, kinds, next)
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	r.t.Cleanup(func() { cancel(); wg.Wait() })
	return e
}

// drain reads what the stream holds from next on; a server that is away has
// nothing new.
func (e *ear) drain(ctx context.Context, js jetstream.JetStream, kinds map[string]string, next uint64) uint64 {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := js.Stream(ctx, stream.Health)
	if err != nil {
		return next
	}
	for ; next <= s.CachedInfo().State.LastSeq; next++ {
		msg, err := s.GetMsg(ctx, next)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return next
		}
		e.take(kinds[msg.Subject], msg.Data)
	}
	return next
}

// seen is what the judge was told last beside the facts.
func (b *bench) seen() observe.Surroundings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.around
}
