package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Tick is one stored tick. Payload are the bytes as they came, which
// [tick.Tick] aliases; both are valid until the next turn of the loop.
type Tick struct {
	tick.Tick
	Payload []byte
	Place   Place
}

// errLeft ends a replay whose loop was left.
var errLeft = errors.New("no more is wanted")

// Replay gives the stored ticks of a range, at the pace that it says, and ends
// at its end; an empty range is the error [replay.ErrEmpty]. Ticks beyond the
// limits of today, such as a larger price than is taken now, come as well.
func (c *Client) Replay(ctx context.Context, r replay.Config) iter.Seq2[Tick, error] {
	return func(yield func(Tick, error) bool) {
		decoder, err := tick.NewDecoder(tick.Limits{})
		if err != nil {
			yield(Tick{}, fmt.Errorf("replay: %w", err))
			return
		}
		run, err := replay.New(r, c.js, &loop{yield, decoder}, slog.New(slog.DiscardHandler))
		if err != nil {
			yield(Tick{}, err) //nolint:wrapcheck // says what is wrong
			return
		}
		if err := run.Run(ctx); err != nil && !errors.Is(err, errLeft) {
			yield(Tick{}, err) //nolint:wrapcheck // says what it did
		}
	}
}

// loop is the body of a loop over a replay.
type loop struct {
	yield   func(Tick, error) bool
	decoder *tick.Decoder
}

var _ replay.Sink = (*loop)(nil)

// Write implements [replay.Sink].
func (l *loop) Write(_ context.Context, m replay.Message) error {
	t := Tick{Payload: m.Payload, Place: Place{Stream: stream.Ticks, Sequence: m.Sequence, StoredAt: m.StoredAt}}
	var err error
	if refused := l.decoder.Decode(m.Payload, m.StoredAt, &t.Tick); refused != nil {
		err = fmt.Errorf("message %d of %s: %w: %w", m.Sequence, stream.Ticks, ErrMalformed, refused)
	}
	if !l.yield(t, err) {
		return errLeft
	}
	return nil
}

// Flush implements [replay.Sink]: the loop has what it was given.
func (*loop) Flush(context.Context) error { return nil }
