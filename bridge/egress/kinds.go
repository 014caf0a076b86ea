package egress

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// flows are the kinds of result that go out, for one tenure.
func (e *Egress) flows() []*flow {
	faults := newErrorLimiter(e)
	return []*flow{
		{egress: e, durable: "egress_indicators", stream: stream.Signals, filter: stream.SignalsOf(event.KindIndicator), encode: e.indicator},
		{egress: e, durable: "egress_patterns", stream: stream.Signals, filter: stream.SignalsOf(event.KindPattern), encode: e.pattern},
		{egress: e, durable: "egress_alerts", stream: stream.Signals, filter: stream.SignalsOf(event.KindAlert), encode: e.alert},
		{egress: e, durable: "egress_errors", stream: stream.Rejects, filter: stream.AllRejects, encode: faults.take, due: faults.due},
	}
}

// errIncomplete is returned for a result that does not say of what it is one.
var errIncomplete = errors.New("name, symbol or end is missing")

// fresh counts what is too old to be sent.
func (e *Egress) fresh(since time.Time) bool {
	if time.Since(since) <= e.cfg.MaxAge {
		return true
	}
	e.meter.tooOld.Add(1)
	return false
}

func decode(data []byte, into any, name *string, key *event.BarKey) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read result: %w", err)
	}
	if *name == "" || key.Symbol == "" || key.End.IsZero() {
		return fmt.Errorf("read result: %w", errIncomplete)
	}
	return nil
}

func (e *Egress) indicator(out *outbox, msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
	i, err := event.ReadIndicator(msg.Data())
	if err != nil {
		return err //nolint:wrapcheck // says what it did
	}
	if !i.Withdrawn && e.fresh(i.End.Time) {
		out.put(e.cfg.Channels.Indicators, i.AppendStreaming(out.bytes))
	}
	return nil
}

func (e *Egress) pattern(out *outbox, msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
	var p event.Pattern
	if err := decode(msg.Data(), &p, &p.Pattern, &p.BarKey); err != nil {
		return err
	}
	if p.Withdrawn || !e.fresh(p.End.Time) {
		return nil
	}
	payload, err := out.marshal(e.cfg.Channels.Patterns, event.NewStreamingPattern(&p))
	if err != nil {
		return err
	}
	if p.Confidence >= event.HighConfidence {
		out.again(e.cfg.Channels.PatternsHigh, payload)
	}
	if e.cfg.PatternEvents {
		_, err = out.marshal(e.cfg.Channels.PatternEvents, event.NewPatternEvent(&p))
	}
	return err
}

func (e *Egress) alert(out *outbox, msg jetstream.Msg, _ *jetstream.MsgMetadata) error {
	var a event.IndicatorAlert
	if err := decode(msg.Data(), &a, &a.Alert, &a.BarKey); err != nil {
		return err
	}
	if !e.fresh(a.End.Time) {
		return nil
	}
	_, err := out.marshal(e.cfg.Channels.AlertsIndicator, event.NewStreamingAlert(&a))
	return err
}
