package observe

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// reasonsCounted bounds the questions to the server; tickstream has fewer.
	reasonsCounted = 64
	gapsRead       = 100
)

// rejectMeter counts what was refused in the window, by reason.
type rejectMeter struct{ window time.Duration }

func (r rejectMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	info, err := m.find(ctx, stream.Rejects, jetstream.WithSubjectFilter(stream.AllRejects))
	if err != nil {
		return err
	}
	start := m.server.Add(-r.window)
	if info == nil || info.State.LastTime.Before(start) {
		facts.RejectsInWindow, facts.RejectReasons = 0, nil
		return nil
	}
	all, err := stream.CountSince(ctx, m.js, stream.Rejects, stream.AllRejects, start)
	if err != nil {
		return err
	}
	reasons := map[string]int64{}
	for subject := range info.State.Subjects {
		if len(reasons) == reasonsCounted {
			break
		}
		n, err := stream.CountSince(ctx, m.js, stream.Rejects, subject, start)
		if err != nil {
			return err
		}
		if n > 0 {
			reasons[reasonOf(subject)] = int64(n)
		}
	}
	facts.RejectsInWindow, facts.RejectReasons = int64(all), reasons
	return nil
}

// reasonOf is the reason that a reject's subject names.
func reasonOf(subject string) string {
	token := subject[strings.LastIndexByte(subject, '.')+1:]
	if reason, err := stream.DecodeSymbol(token); err == nil {
		return reason
	}
	return token
}

// gapMeter counts the subscription gaps published in the window.
type gapMeter struct{ window time.Duration }

func (g gapMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	info, err := m.find(ctx, stream.Health)
	if err != nil {
		return err
	}
	if info == nil {
		facts.GapsInWindow, facts.GapTime, facts.GapEndedAt = 0, 0, time.Time{}
		return nil
	}
	msgs, err := stream.Read(ctx, m.js, stream.Health, gapsRead,
		jetstreamext.GetBatchStartTime(m.server.Add(-g.window)), jetstreamext.GetBatchSubject(stream.HealthGap))
	if err != nil {
		return err
	}
	var rest uint64
	if len(msgs) > 0 {
		if rest, err = stream.After(msgs[len(msgs)-1]); err != nil {
			return err
		}
	}
	var total time.Duration
	var ended time.Time
	for _, msg := range msgs {
		var gap event.Gap
		if json.Unmarshal(msg.Data, &gap) == nil { // of a foreign hand it has no length
			total += max(0, gap.To.Sub(gap.From.Time))
			ended = latest(ended, gap.To.Time)
		}
	}
	facts.GapsInWindow, facts.GapTime, facts.GapEndedAt = int64(len(msgs))+int64(rest), total, ended
	return nil
}
