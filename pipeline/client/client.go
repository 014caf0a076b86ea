// Package client reads what tickstream publishes, for other Go programs: health,
// bars, signals and ticks, typed, as sequences to range over.
//
//	bars := client.New(js).Bars(ctx, client.Selection{Symbols: []string{"AAPL"}})
//	for bar, err := range bars {
//		…
//	}
//
// A sequence begins where its [Selection] says and follows the stream until its
// context ends or the loop is left. It survives reconnects, and gives each event
// once and in order. An event that cannot be read comes as an error that wraps
// [ErrMalformed], and the sequence goes on behind it; any other error is the
// last that it gives. The end of the context is no error.
package client

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrMalformed is what an event is reported with that is none of tickstream's.
var ErrMalformed = errors.New("not an event of tickstream")

// Client reads from one JetStream. It may be used by several goroutines at once.
type Client struct {
	js jetstream.JetStream
}

// New makes a client, which connects to nothing by itself.
func New(js jetstream.JetStream) *Client { return &Client{js: js} }

// Place is where an event is stored.
type Place struct {
	Stream   string
	Sequence uint64
	StoredAt time.Time
}

// Selection is which events are read and from where on. The zero value is every
// symbol, from now on.
type Selection struct {
	// Symbols as AppV2 spells them. Defaults to all.
	Symbols []string
	// Names of indicators ("RSI"), patterns ("Doji") or alerts
	// ("RSI_OVERBOUGHT"), or of bars' timeframes ("1min"). Defaults to all.
	Names []string
	// Since is when the first event was stored at the earliest. Zero, with
	// FromSequence zero as well, is now.
	Since time.Time
	// FromSequence is where in the stream to begin, as after an interruption
	// with one more than the last [Place]. It goes before Since.
	FromSequence uint64
}
