package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// scope is one session as it is measured. It is never changed once made; that
// it is another one tells that the session is.
type scope struct {
	universe  []string
	startedAt time.Time
}

// Observer measures the system on its streams. It is safe for concurrent use.
type Observer struct {
	cfg Config
	js  jetstream.JetStream
	log *slog.Logger

	turn     chan struct{} // held by the measurement under way; guards the next three
	parts    []part
	detailed time.Time // when all parts were measured last
	measured *scope    // that they were measured for
	lastTick time.Time // the newest then

	mu     sync.Mutex // held over no IO
	facts  Facts
	scope  *scope
	active *activity
}

// New makes an observer; it starts nothing.
func New(cfg Config, deps Deps) (*Observer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("observer settings: %w", err)
	}
	if err := deps.validate(); err != nil {
		return nil, fmt.Errorf("observer: %w", err)
	}
	cfg = cfg.withDefaults()
	parts, err := newParts(cfg)
	if err != nil {
		return nil, fmt.Errorf("observer: %w", err)
	}
	return &Observer{
		cfg: cfg, js: deps.JetStream, log: deps.Log,
		turn: make(chan struct{}, 1), parts: parts,
		scope:  &scope{universe: slices.Clone(deps.Universe)},
		active: newActivity(cfg.ActiveWindow),
		facts: Facts{
			UniverseSize: len(deps.Universe),
			RateWindow:   cfg.RateWindow, ActiveWindow: cfg.ActiveWindow, ErrorWindow: cfg.ErrorWindow,
		},
	}, nil
}

// Run measures each interval until ctx ends, and returns nil. That NATS is away
// is a fact, not an error.
func (o *Observer) Run(ctx context.Context) error {
	ticker := time.NewTicker(o.cfg.Interval)
	defer ticker.Stop()
	var failed, partial bool
	var malformed int
	for {
		facts, err := o.Measure(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if now := err != nil; now != failed {
			failed = now
			if failed {
				o.log.Warn("cannot measure, trying on", "err", err)
			} else {
				o.log.Info("measuring again")
			}
		}
		if now := err == nil && len(facts.Incomplete) > 0; now != partial && err == nil {
			partial = now
			if partial {
				o.log.Warn("cannot measure in full, trying on", "part", facts.Incomplete[0].Part, "err", facts.Incomplete[0].Err)
			} else {
				o.log.Info("measuring in full again")
			}
		}
		if n := len(facts.MalformedReports); n != malformed {
			malformed = n
			if n > 0 {
				o.log.Warn("component reports cannot be read, left out", "count", n, "keys", facts.MalformedReports)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Facts returns what was measured last. It does not wait for a measurement.
func (o *Observer) Facts() Facts {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.facts
}

// SetSession says which symbols count from now on, and when the session
// started whose ticks and signals are counted; a zero time means none did.
func (o *Observer) SetSession(universe []string, startedAt time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scope = &scope{universe: slices.Clone(universe), startedAt: startedAt}
	o.facts.UniverseSize = len(universe)
	o.facts.endSession()
	if !o.facts.At.IsZero() {
		o.facts.ActiveSymbols, o.facts.StaleSymbols = o.active.divide(o.scope.universe)
	}
}

func (f *Facts) endSession() {
	f.FirstTickAt, f.PatternsDetected, f.IndicatorsCalculated = time.Time{}, 0, 0
}

// Measure measures now, after a measurement that is under way. The error says
// why JetStream could not be measured; the facts are then the last measured
// ones, with that said in Facts.JetStream. If ctx is cancelled, nothing is
// concluded from it.
func (o *Observer) Measure(ctx context.Context) (Facts, error) {
	select {
	case o.turn <- struct{}{}:
		defer func() { <-o.turn }()
	case <-ctx.Done():
		return o.Facts(), fmt.Errorf("measure: %w", ctx.Err())
	}
	bounded, cancel := context.WithTimeout(ctx, o.cfg.Timeout)
	defer cancel()
	o.mu.Lock()
	facts, session := o.facts, o.scope
	o.mu.Unlock()

	m, err := newMoment(bounded, o.js, session)
	if err == nil {
		o.measureParts(bounded, m, &facts)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return o.Facts(), fmt.Errorf("measure: %w", ctx.Err())
	}
	if err != nil {
		return o.unreachable(err), fmt.Errorf("measure: %w", err)
	}
	return o.commit(m, facts), nil
}

// detailDue tells whether all parts are to be measured. Half an interval early
// is due, or a ticker that is a little early would skip a turn. Without active
// symbols each tick makes it due, so that the first ticks bring their symbols
// with them.
func (o *Observer) detailDue(m *moment, facts *Facts) bool {
	since := m.local.Sub(o.detailed)
	quiet := facts.ActiveSymbols > 0 || facts.LastTickAt.Equal(o.lastTick)
	if quiet && facts.JetStream.OK && m.scope == o.measured && since >= 0 && since < o.cfg.DetailInterval-o.cfg.Interval/2 {
		return false
	}
	o.detailed, o.measured, o.lastTick = m.local, m.scope, facts.LastTickAt
	return true
}

// measureParts measures side by side, so that a part that hangs takes nothing
// from the others. Each writes facts of its own, and only if it succeeds.
func (o *Observer) measureParts(ctx context.Context, m *moment, facts *Facts) {
	errs := make([]error, len(o.parts))
	measure := func(detail bool) {
		var wg sync.WaitGroup
		for i, p := range o.parts {
			if p.detail == detail {
				wg.Go(func() { errs[i] = p.measure(ctx, m, facts) }) // ends with ctx
			}
		}
		wg.Wait()
	}
	measure(false)
	if m.detail = o.detailDue(m, facts); m.detail {
		measure(true)
	}

	var incomplete []Incomplete
	for i, p := range o.parts {
		fails := Incomplete{Part: p.name, Since: m.local}
		known := slices.IndexFunc(facts.Incomplete, func(earlier Incomplete) bool { return earlier.Part == p.name })
		if known >= 0 {
			fails = facts.Incomplete[known]
		}
		skipped := p.detail && !m.detail
		if errs[i] != nil {
			fails.Err = sentence(errs[i])
		}
		if errs[i] != nil || skipped && known >= 0 {
			incomplete = append(incomplete, fails)
		}
	}
	facts.Incomplete = incomplete
	for i, p := range o.parts {
		if ticks, ok := p.meter.(*tickMeter); ok && errs[i] == nil {
			facts.TicksPerSecond = ticks.rate(beganAt(*facts).Add(m.offset))
		}
	}
	facts.MissingStreams = m.missingStreams(facts.MissingStreams)
}

// commit makes facts the latest ones.
func (o *Observer) commit(m *moment, facts Facts) Facts {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.facts.JetStream.OK {
		facts.JetStream = Reach{OK: true, Since: m.local}
	}
	facts.At, facts.ClockOffset = m.local, m.offset
	facts.UniverseSize = len(o.scope.universe)
	if o.scope != m.scope {
		facts.endSession()
	}
	o.active.merge(m.seen, m.server)
	facts.ActiveSymbols, facts.StaleSymbols = o.active.divide(o.scope.universe)
	o.facts = facts
	return facts
}

func (o *Observer) unreachable(err error) Facts {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.facts.JetStream.OK || o.facts.JetStream.Since.IsZero() {
		o.facts.JetStream.Since = time.Now()
	}
	o.facts.JetStream.OK, o.facts.JetStream.Err = false, sentence(err)
	return o.facts
}

// sentence is err for people who do not know the client's own words.
func sentence(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return "no answer in time"
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrJetStreamNotEnabled),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return "JetStream is off on this server or account, or has no leader"
	}
	return err.Error()
}
