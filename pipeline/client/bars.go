package client

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// Bar is a closed bar, or its correction under a higher revision.
type Bar struct {
	event.Bar
	Place Place `json:"-"`
}

// Bars are the closed bars of the selection's symbols and timeframes.
func (c *Client) Bars(ctx context.Context, s Selection) iter.Seq2[Bar, error] {
	subjects := cross(s.Names, s.Symbols, func(timeframe, symbol string) string {
		return stream.BarFilter(timeframe, symbol)
	})
	return follow(ctx, c, stream.Bars, subjects, s, func(msg jetstream.Msg, at Place) (Bar, error) {
		bar := Bar{Place: at}
		return bar, json.Unmarshal(msg.Data(), &bar.Bar) //nolint:wrapcheck // by follow
	})
}

// cross makes a filter of each pair; nothing named stands for all.
func cross(names, symbols []string, filter func(name, symbol string) string) []string {
	if len(names) == 0 {
		names = []string{""}
	}
	if len(symbols) == 0 {
		symbols = []string{""}
	}
	filters := make([]string, 0, len(names)*len(symbols))
	for _, name := range names {
		for _, symbol := range symbols {
			filters = append(filters, filter(name, symbol))
		}
	}
	return filters
}
