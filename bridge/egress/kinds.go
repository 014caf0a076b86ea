package egress

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// flows are the kinds of result that go out.
func (e *Egress) flows() []*flow {
	errors := newErrorLimiter(e.cfg.Channels.Errors, e.cfg.ErrorInterval)
	return []*flow{
		{egress: e, durable: "egress_indicators", stream: stream.Signals, filter: stream.SignalsOf(event.KindIndicator), encode: e.indicator},
		{egress: e, durable: "egress_patterns", stream: stream.Signals, filter: stream.SignalsOf(event.KindPattern), encode: e.pattern},
		{egress: e, durable: "egress_alerts", stream: stream.Signals, filter: stream.SignalsOf(event.KindAlert), encode: e.alert},
		{egress: e, durable: "egress_errors", stream: stream.Rejects, filter: stream.AllRejects, encode: errors.take, due: errors.due},
	}
}

// decode reads a result; fresh is false where it is too old to be sent.
func decode[T any](e *Egress, msg jetstream.Msg, into *T, end func(*T) time.Time) (fresh bool, err error) {
	if err := json.Unmarshal(msg.Data(), into); err != nil {
		return false, fmt.Errorf("read result: %w", err)
	}
	if time.Since(end(into)) > e.cfg.MaxAge {
		e.meter.tooOld.Add(1)
		return false, nil
	}
	return true, nil
}

func encode(channel string, value any) ([]publication, error) {
	payload, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return []publication{{channel, payload}}, nil
}

func (e *Egress) indicator(msg jetstream.Msg) ([]publication, error) {
	var i event.Indicator
	fresh, err := decode(e, msg, &i, func(i *event.Indicator) time.Time { return i.End.Time })
	if !fresh || i.Withdrawn {
		return nil, err
	}
	return encode(e.cfg.Channels.Indicators, event.NewStreamingIndicator(&i))
}

func (e *Egress) pattern(msg jetstream.Msg) ([]publication, error) {
	var p event.Pattern
	fresh, err := decode(e, msg, &p, func(p *event.Pattern) time.Time { return p.End.Time })
	if !fresh || p.Withdrawn {
		return nil, err
	}
	out, err := encode(e.cfg.Channels.Patterns, event.NewStreamingPattern(&p))
	if err != nil {
		return nil, err
	}
	if p.Confidence >= event.HighConfidence {
		out = append(out, publication{e.cfg.Channels.PatternsHigh, out[0].payload})
	}
	if e.cfg.PatternEvents {
		first, err := encode(e.cfg.Channels.PatternEvents, event.NewPatternEvent(&p))
		if err != nil {
			return nil, err
		}
		out = append(out, first...)
	}
	return out, nil
}

func (e *Egress) alert(msg jetstream.Msg) ([]publication, error) {
	var a event.IndicatorAlert
	fresh, err := decode(e, msg, &a, func(a *event.IndicatorAlert) time.Time { return a.End.Time })
	if !fresh {
		return nil, err
	}
	return encode(e.cfg.Channels.AlertsIndicator, event.NewStreamingAlert(&a))
}
