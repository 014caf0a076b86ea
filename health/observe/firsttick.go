package observe

import (
	"context"
	"time"

	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// firstTick finds the first tick of a session, and keeps it.
type firstTick struct {
	scope *scope
	found time.Time // by this host's clock
	seq   uint64    // that was searched up to
}

func (f *firstTick) measure(ctx context.Context, m *moment, facts *Facts) error {
	if f.scope != m.scope {
		*f = firstTick{scope: m.scope}
	}
	facts.FirstTickAt = f.found
	if !f.found.IsZero() || m.scope.startedAt.IsZero() || m.info == nil || m.info.State.LastSeq == f.seq {
		return nil
	}
	msg, err := first(ctx, m.js, stream.Ticks,
		jetstreamext.GetBatchStartTime(m.scope.startedAt.Add(m.offset)), jetstreamext.GetBatchSubject(stream.AllTicks))
	if err != nil {
		return err
	}
	f.seq = m.info.State.LastSeq
	// A tick that came since belongs to the next measurement, as its rate does.
	if msg != nil && msg.Sequence <= f.seq {
		f.found = m.toLocal(msg.Time)
	}
	facts.FirstTickAt = f.found
	return nil
}
