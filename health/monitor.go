// Package health tells on both buses, from the moment its process starts until
// it ends, how the system is: one event an interval, and at once on each change
// of status.
//
// Making events, measuring, and publishing on each of the buses go on side by
// side: events are made from the latest facts without any IO, and a bus that
// hangs or fails delays nothing but itself. On each bus one process at a time
// publishes, by a lease on that very bus; the others measure and stay silent.
// Whoever leads on NATS, or on Redis while NATS is away, decides on the session.
package health

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
	"golang.org/x/sync/errgroup"
)

// Monitor makes health events and publishes them, with those of the session
// and critical alerts. [Monitor.Run] is its whole life.
type Monitor struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	keeper *session.Keeper
	self   process

	nats, redis *publisher
	natsBus     *natsBus
	redisBus    *redisBus

	prepared  chan struct{} // closed after the first look at the buses
	kick      chan struct{} // something changed that an event depends on
	latest    atomic.Pointer[update]
	lasting   atomic.Pointer[alertSet]
	own       atomic.Pointer[presence.Usage]
	published atomic.Bool // an event went out
	beats     beats

	begun struct {
		real time.Time // by the process's clock
		told time.Time // by Config.Now
	}
	mu       sync.Mutex // of the fields below; held over no IO
	seq      uint64
	seen     session.Record // as it was when last looked at
	counted  string         // id of the session that the observer counts for
	counting bool           // it was told
	said     session.Record // whose announcement was logged
	first    time.Time      // when the first event was made
	status   observe.Verdict
	failures []observe.Issue // of components of this process that have ended
	told     int             // how many of these an event was made of
	final    *update
}

// New makes a monitor; it starts nothing.
func New(cfg Config, deps Deps) (*Monitor, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := deps.validate(); err != nil {
		return nil, err
	}
	keeper, err := session.New(session.Config{
		Mode: cfg.Mode, Universe: deps.Universe.Key, SymbolCount: len(deps.Universe.Symbols),
	}, deps.Calendar, cfg.Now(), deps.Log)
	if err != nil {
		return nil, fmt.Errorf("health monitor: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	m := &Monitor{
		cfg: cfg, deps: deps, log: deps.Log, keeper: keeper, self: process{host, os.Getpid()},
		prepared: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	m.lasting.Store(&alertSet{})
	m.own.Store(&presence.Usage{})

	control := &session.Control{Keeper: keeper, Totals: m.totals, Changed: m.stir, Now: cfg.Now, Log: deps.Log}
	offers := append([]service.Config{control.Service(cfg.Identity)}, deps.Offers...)
	m.natsBus, err = newNATSBus(deps.JetStream, cfg.Holder, uuid.NewString(), offers, deps.Log)
	if err != nil {
		return nil, err
	}
	m.redisBus = &redisBus{client: deps.Redis, channels: cfg.Channels, now: cfg.Now, log: deps.Log}
	m.nats, m.redis = m.newPublisher(m.natsBus), m.newPublisher(m.redisBus)
	m.redis.repeat = cfg.RepeatSession
	m.redisBus.lease = redisLease{
		client: deps.Redis, key: cfg.Channels.HealthLeaseKey, holder: cfg.Holder,
		note: func(err error) { m.redis.reach.note(checkLease, err) }, log: deps.Log,
	}
	return m, nil
}

func (m *Monitor) newPublisher(b bus) *publisher {
	return &publisher{
		bus: b, monitor: m, reach: newReach(b.name(), m.cfg.Now, m.log), log: m.log,
		wake: make(chan struct{}, 1), ledTill: m.cfg.Now(),
	}
}

func (m *Monitor) publishers() []*publisher { return []*publisher{m.nats, m.redis} }

// Run measures and publishes until ctx ends, says stopping on both buses, and
// returns nil. The session is kept for the next process. Run once.
func (m *Monitor) Run(ctx context.Context) error {
	m.begun.real, m.begun.told = time.Now(), m.cfg.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range m.publishers() {
		group.Go(func() error { return p.run(ctx) }) // ends with ctx
	}
	group.Go(func() error { m.sample(ctx); return nil }) // ends with ctx
	group.Go(func() error {                              // ends with ctx
		m.prepare(ctx)
		if ctx.Err() != nil {
			return nil
		}
		close(m.prepared)
		group.Go(func() error { // ends with ctx
			if err := m.deps.Observer.Run(ctx); err != nil {
				return fmt.Errorf("observe: %w", err)
			}
			return nil
		})
		m.makeEvents(ctx)
		return nil
	})
	err := group.Wait()
	if u := m.latest.Load(); u != nil {
		u.delivery.close()
	}
	return err //nolint:wrapcheck // each part has named itself
}

// sample measures this process once in a while.
func (m *Monitor) sample(ctx context.Context) {
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		usage := m.deps.Usage.Sample()
		m.own.Store(&usage)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// stir has an event made soon if something changed that it depends on; it
// never waits.
func (m *Monitor) stir() {
	select {
	case m.kick <- struct{}{}:
	default: // it will be anyway
	}
}

// adopt takes over what a bus holds, if that is newer.
func (m *Monitor) adopt(stored session.Record) {
	if m.keeper.Adopt(stored) {
		m.stir()
	}
}

// leads tells whether this process decides on the session.
func (m *Monitor) leads() bool {
	return m.nats.leading.Load() || m.redis.leading.Load() && !m.nats.reach.get().OK
}

func (m *Monitor) alerts() alertSet { return *m.lasting.Load() }

// outdated is the newest event that is not fresh enough to begin with on a bus;
// none is if something was measured since.
func (m *Monitor) outdated(measured bool) uint64 {
	u := m.latest.Load()
	switch {
	case u == nil:
		return 0
	case !measured && time.Since(u.made) < judgePeriod:
		return u.seq - 1
	}
	return u.seq
}

func (m *Monitor) totals() session.Totals {
	facts := m.deps.Observer.Facts()
	return session.Totals{Patterns: facts.PatternsDetected, Indicators: facts.IndicatorsCalculated}
}

// sayStarted logs an announcement: the first of each state of a session on
// whichever bus, and those for somebody who came late.
func (m *Monitor) sayStarted(current session.Record, late bool) {
	m.mu.Lock()
	known := m.said.Same(current)
	m.said = current
	m.mu.Unlock()
	level := slog.LevelInfo
	if known && !late {
		level = slog.LevelDebug
	}
	// Operators search their logs for this very sentence: no attributes.
	m.log.Log(context.Background(), level, "STREAMING: Published session_started event")
}
