package observe

import (
	"context"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/stream"
)

// barMeter counts what is stored in BARS.
type barMeter struct {
	created, end time.Time
	seq          uint64
	count        float64
}

// measure counts over minutes from half to half: bars come in a burst at each
// minute's end, which a sliding window would now miss and now count twice.
func (b *barMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	info, err := m.find(ctx, stream.Bars)
	if err != nil {
		return err
	}
	if info == nil {
		facts.BarsPerMinute = 0
		return nil
	}
	const half = 30 * time.Second
	end, last := m.server.Add(-half).Truncate(time.Minute).Add(half), info.State.LastSeq
	if !b.created.Equal(info.Created) || !b.end.Equal(end) || b.seq != last {
		before, err := lastBefore(ctx, m.js, stream.Bars, end.Add(-time.Minute), last)
		if err != nil {
			return err
		}
		then, err := lastBefore(ctx, m.js, stream.Bars, end, last)
		if err != nil {
			return err
		}
		b.created, b.end, b.seq, b.count = info.Created, end, last, float64(max(then-before, last-then))
	}
	facts.BarsPerMinute = b.count
	return nil
}

// signalMeter counts what is stored in SIGNALS in a session, by kind: asking
// the server how many match is exact and sends none of them.
type signalMeter struct {
	scope                *scope
	created              time.Time
	seq                  uint64
	patterns, indicators int64
}

func (s *signalMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	info, err := m.find(ctx, stream.Signals)
	if err != nil {
		return err
	}
	if info == nil || m.scope.startedAt.IsZero() {
		facts.PatternsDetected, facts.IndicatorsCalculated = 0, 0
		return nil
	}
	if s.scope != m.scope || !s.created.Equal(info.Created) || s.seq != info.State.LastSeq {
		start := m.scope.startedAt.Add(m.offset)
		patterns, err := countSince(ctx, m.js, stream.Signals, signalsOf("pattern"), start)
		if err != nil {
			return err
		}
		indicators, err := countSince(ctx, m.js, stream.Signals, signalsOf("indicator"), start)
		if err != nil {
			return err
		}
		*s = signalMeter{m.scope, info.Created, info.State.LastSeq, int64(patterns), int64(indicators)}
	}
	facts.PatternsDetected, facts.IndicatorsCalculated = s.patterns, s.indicators
	return nil
}

// signalsOf filters the signals of one kind.
func signalsOf(kind string) string {
	const anything = "a"
	return strings.TrimSuffix(stream.SignalSubject(kind, anything, anything), anything+"."+anything) + "*.*"
}
