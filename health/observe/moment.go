package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// clocksAgree is how far two clocks may be apart, because the way of an answer
// cannot be told from it.
const clocksAgree = 500 * time.Millisecond

// meter measures one side of the system. It keeps what it needs from one
// measurement to the next, and is never called twice at once.
type meter interface {
	// measure writes fields of facts that no other meter writes or reads. Meters
	// may run at the same time.
	measure(ctx context.Context, m *moment, facts *Facts) error
}

// part is a meter in the observer's list.
type part struct {
	name   string
	detail bool // measured at [Config.DetailInterval] only
	meter
}

func newParts(cfg Config) ([]part, error) {
	symbols, err := newSymbolMeter(cfg.RateWindow)
	if err != nil {
		return nil, err
	}
	decoder, err := newDecoder()
	if err != nil {
		return nil, err
	}
	return []part{
		{"rate of ticks", false, &tickMeter{rateWindow: cfg.RateWindow, errorWindow: cfg.ErrorWindow, decoder: decoder}},
		{"first tick of the session", false, &firstTick{}},
		{"consumers", false, consumerMeter{}},
		{"symbols", true, symbols},
		{"components", true, &componentMeter{window: cfg.ErrorWindow}},
		{"bars", true, &barMeter{}},
		{"signals", true, &signalMeter{}},
		{"rows for the database", true, rowMeter{}},
		{"rejects", true, rejectMeter{window: cfg.ErrorWindow}},
		{"gaps", true, gapMeter{window: cfg.ErrorWindow}},
	}, nil
}

// moment is what all parts of one measurement share.
type moment struct {
	js     jetstream.JetStream
	scope  *scope
	detail bool          // all parts are measured
	local  time.Time     // by this host's clock
	server time.Time     // the same by the server's, which stamps what is stored
	offset time.Duration // of server from local
	ticks  jetstream.Stream
	info   *jetstream.StreamInfo // of ticks; nil where there is none

	seen []sighting // by the symbol meter

	mu      sync.Mutex
	missing []string
}

// newMoment asks for TICKS. Its error is that JetStream does not answer.
func newMoment(ctx context.Context, js jetstream.JetStream, s *scope) (*moment, error) {
	// Without a connection each request would wait for its timeout.
	if !js.Conn().IsConnected() {
		return nil, stream.ErrNotConnected
	}
	m := &moment{js: js, scope: s, detail: true}
	asked := time.Now()
	ticks, err := js.Stream(ctx, stream.Ticks)
	m.local = time.Now()
	m.server = m.local
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		m.missing = append(m.missing, stream.Ticks)
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	m.ticks, m.info = ticks, ticks.CachedInfo()
	if stamp := m.info.TimeStamp; !stamp.IsZero() {
		halfway := asked.Add(m.local.Sub(asked) / 2)
		if offset := stamp.Sub(halfway).Round(time.Millisecond); offset.Abs() > clocksAgree+m.local.Sub(asked) {
			m.offset, m.server = offset, m.local.Add(offset)
		}
	}
	return m, nil
}

// toLocal is a time of the server's by this host's clock.
func (m *moment) toLocal(t time.Time) time.Time { return t.Add(-m.offset) }

// find looks a stream up; nil is one that does not exist.
func (m *moment) find(ctx context.Context, name string, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	found, err := m.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		m.miss(name)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	if len(opts) == 0 {
		return found.CachedInfo(), nil
	}
	info, err := found.Info(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("look into stream %s: %w", name, err)
	}
	return info, nil
}

func (m *moment) miss(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missing = append(m.missing, name)
}

// missingStreams are those not found; where not all was looked at, also the
// others that were missing before.
func (m *moment) missingStreams(before []string) []string {
	missing := m.missing
	for _, name := range before {
		if !m.detail && name != stream.Ticks {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}
