package observe

import (
	"context"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// minuteBars filters the bars that a minute brings of each symbol; longer ones
// would make the count jump.
const minuteBars = "tickstock.bars.1min.*"

// barMeter counts the minute bars that are stored in BARS.
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
		since, err := stream.CountSince(ctx, m.js, stream.Bars, minuteBars, end)
		if err != nil {
			return err
		}
		both, err := stream.CountSince(ctx, m.js, stream.Bars, minuteBars, end.Add(-time.Minute))
		if err != nil {
			return err
		}
		b.created, b.end, b.seq, b.count = info.Created, end, last, float64(busier(both, since))
	}
	facts.BarsPerMinute = b.count
	return nil
}

// busier is how many bars came in the busier of two spans, of which one count is
// of both and the other of the second alone. The stream changes between the two
// counts, so the one of both may be the smaller.
func busier(both, second uint64) uint64 {
	return max(max(both, second)-second, second)
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
		patterns, err := stream.CountSince(ctx, m.js, stream.Signals, stream.SignalsOf(event.KindPattern), start)
		if err != nil {
			return err
		}
		indicators, err := stream.CountSince(ctx, m.js, stream.Signals, stream.SignalsOf(event.KindIndicator), start)
		if err != nil {
			return err
		}
		*s = signalMeter{m.scope, info.Created, info.State.LastSeq, int64(patterns), int64(indicators)}
	}
	facts.PatternsDetected, facts.IndicatorsCalculated = s.patterns, s.indicators
	return nil
}
