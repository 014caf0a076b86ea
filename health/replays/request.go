package replays

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/replay"
)

const (
	symbolsAsked  = 500
	longestSymbol = 64
)

// Request is a replay as people ask for it.
type Request struct {
	From    string   `json:"from"` // RFC 3339, or relative to now: -5m
	To      string   `json:"to"`   // the same; empty for now
	Speed   float64  `json:"speed"`
	Symbols []string `json:"symbols"` // none for all
	Channel string   `json:"channel"`
}

// order is a request that could be read.
type order struct {
	by      string
	from    time.Time
	to      time.Time // zero for all that is there
	speed   float64
	symbols []string
	channel string
}

func (r Request) order(now time.Time) (order, error) {
	o := order{speed: r.Speed, channel: strings.TrimSpace(r.Channel)}
	var err error
	if o.from, err = replay.ParseMoment(r.From, now); err != nil {
		return o, fmt.Errorf("from is %q: give a time such as 2025-10-07T13:30:00Z, or one relative to now such as -5m", r.From)
	}
	if r.To != "" {
		if o.to, err = replay.ParseMoment(r.To, now); err != nil {
			return o, fmt.Errorf("to is %q: give a time such as 2025-10-07T13:30:00Z, or one relative to now such as -1m", r.To)
		}
	}
	for _, symbol := range r.Symbols {
		if symbol = strings.TrimSpace(symbol); symbol != "" {
			o.symbols = append(o.symbols, symbol)
		}
		if len(symbol) > longestSymbol {
			return o, fmt.Errorf("a symbol has %d characters: give at most %d", len(symbol), longestSymbol)
		}
	}
	if len(o.symbols) > symbolsAsked {
		return o, fmt.Errorf("%d symbols are given: give at most %d, or none for all", len(o.symbols), symbolsAsked)
	}
	if o.channel == "" {
		return o, errors.New("channel is empty: give a Redis channel of your own, such as tickstock:replay:ticks")
	}
	return o, nil
}
