package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Indicator is an indicator's value on a closed bar, or its correction.
type Indicator struct {
	event.Indicator
	Place Place `json:"-"`
}

// Name is the indicator's, such as "SMA_20".
func (i Indicator) Name() string { return i.Indicator.Indicator }

// Pattern is a pattern on a closed bar, or its correction.
type Pattern struct {
	event.Pattern
	Place Place `json:"-"`
}

// Name is the pattern's, such as "Bullish Engulfing".
func (p Pattern) Name() string { return p.Pattern.Pattern }

// Alert is the crossing of a threshold; it comes once.
type Alert struct {
	event.IndicatorAlert
	Place Place `json:"-"`
}

// Indicators are the values of the selection's indicators and symbols.
func (c *Client) Indicators(ctx context.Context, s Selection) iter.Seq2[Indicator, error] {
	return follow(ctx, c, stream.Signals, signals(event.KindIndicator, s), s, func(msg jetstream.Msg, at Place) (Indicator, error) {
		i := Indicator{Place: at}
		return i, json.Unmarshal(msg.Data(), &i.Indicator) //nolint:wrapcheck // by follow
	})
}

// Patterns are the patterns that the selection names, found on its symbols.
func (c *Client) Patterns(ctx context.Context, s Selection) iter.Seq2[Pattern, error] {
	tokens := make([]string, len(s.Names))
	for i, name := range s.Names {
		tokens[i] = stream.PatternToken(name)
	}
	s.Names = tokens
	return follow(ctx, c, stream.Signals, signals(event.KindPattern, s), s, func(msg jetstream.Msg, at Place) (Pattern, error) {
		p := Pattern{Place: at}
		return p, json.Unmarshal(msg.Data(), &p.Pattern) //nolint:wrapcheck // by follow
	})
}

// Alerts are the alerts that the selection names, on its symbols.
func (c *Client) Alerts(ctx context.Context, s Selection) iter.Seq2[Alert, error] {
	return follow(ctx, c, stream.Signals, signals(event.KindAlert, s), s, func(msg jetstream.Msg, at Place) (Alert, error) {
		a := Alert{Place: at}
		return a, json.Unmarshal(msg.Data(), &a.IndicatorAlert) //nolint:wrapcheck // by follow
	})
}

func signals(kind string, s Selection) []string {
	return cross(s.Names, s.Symbols, func(name, symbol string) string { return stream.SignalFilter(kind, name, symbol) })
}
