package bridge

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Reasons for which a tick is refused though it is sound.
const (
	// reasonTooManySymbols: a symbol not seen before, beyond [Config].MaxSymbols.
	reasonTooManySymbols tick.Reason = "too_many_symbols"
	// reasonNotInUniverse: a symbol that is not in [Config].Universe.
	reasonNotInUniverse tick.Reason = "not_in_universe"
)

// symbols are those whose ticks are taken, each with its subject. A flood of
// made-up ones costs memory, here and in the server, for as long as TICKS keeps
// them, so there is an end to them.
type symbols struct {
	max      int
	universe map[string]bool // nil: all
	subjects map[string]string
	count    atomic.Int64
}

func newSymbols(cfg Config) *symbols {
	s := &symbols{max: cfg.MaxSymbols, subjects: make(map[string]string)}
	if len(cfg.Universe) > 0 {
		s.universe = make(map[string]bool, len(cfg.Universe))
		for _, symbol := range cfg.Universe {
			s.universe[symbol] = true
		}
	}
	return s
}

// admit is the subject of a symbol's ticks, or why they are refused.
func (s *symbols) admit(symbol []byte) (subject string, refusal *tick.Refusal) {
	if subject, known := s.subjects[string(symbol)]; known {
		return subject, nil
	}
	if s.universe != nil && !s.universe[string(symbol)] {
		return "", &tick.Refusal{Reason: reasonNotInUniverse, Detail: fmt.Sprintf("%q is not one of the %d symbols that are taken", symbol, len(s.universe))}
	}
	if len(s.subjects) >= s.max {
		return "", &tick.Refusal{Reason: reasonTooManySymbols, Detail: fmt.Sprintf("%q would be the symbol number %d, at most %d are taken", symbol, len(s.subjects)+1, s.max)}
	}
	subject = stream.TickSubject(symbol)
	s.subjects[string(symbol)] = subject
	s.count.Store(int64(len(s.subjects)))
	return subject, nil
}

// learn takes in the symbols that TICKS holds, so that a restart gives a flood no
// new room.
func (s *symbols) learn(ctx context.Context, js jetstream.JetStream) error {
	ticks, err := js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", stream.Ticks, err)
	}
	info, err := ticks.Info(ctx, jetstream.WithSubjectFilter(stream.AllTicks))
	if err != nil {
		return fmt.Errorf("list the symbols of %s: %w", stream.Ticks, err)
	}
	for subject := range info.State.Subjects {
		if stored, ok := stream.ParseStoredTick(subject); ok && (s.universe == nil || s.universe[stored.Symbol]) {
			s.subjects[stored.Symbol] = stream.TickSubject(stored.Symbol)
		}
	}
	s.count.Store(int64(len(s.subjects)))
	return nil
}
