package egress

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	batchSize  = 256 // messages a round trip
	apiTimeout = 5 * time.Second
	// setupTimeout bounds the wait for answers that a break of the connection
	// may have taken with it.
	setupTimeout = 2 * time.Second
	// linger is how long a flow waits for a message before it looks whether it
	// has something of its own to send.
	linger = 250 * time.Millisecond
	// quiet is after how long without a message the server is asked whether it
	// has one: a request for messages dies with the node that has it.
	quiet = 2 * time.Second
)

// errBroken is returned where messages of the consumer were lost on their way:
// it must be read anew.
var errBroken = errors.New("messages were lost on the way from NATS")

// flow carries one kind of result for one tenure.
type flow struct {
	egress  *Egress
	durable string
	stream  string
	filter  string
	// encode puts what is sent of a message; nothing where it is not for AppV2.
	encode func(out *outbox, msg jetstream.Msg, meta *jetstream.MsgMetadata) error
	// due puts what is sent beside messages, at least every linger, and with
	// last what is left at the end; may be nil.
	due func(out *outbox, now time.Time, last bool)

	place   place // next is 0 until the tenure knows
	out     outbox
	emptyAt atomic.Pointer[time.Time] // when the server said last that nothing waits
}

// carry runs until the tenure ends, however often what it reads from breaks.
func (f *flow) carry(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		err := f.run(ctx, func() { failing = false })
		if ctx.Err() != nil || errors.Is(err, errBroken) {
			continue
		}
		if !failing {
			f.egress.log.Warn("results are not sent, trying again", "consumer", f.durable, "err", err)
		}
		failing = true
		pause(ctx, 500*time.Millisecond)
	}
	if f.due != nil {
		f.out.reset()
		f.due(&f.out, time.Now(), true)
		if err := f.egress.send(ctx, f.out.list, place{}); err != nil {
			f.egress.log.Debug("the last events were not sent", "consumer", f.durable, "err", err)
		}
	}
}

// run reads and sends until ctx ends, or returns the error that ended it. began
// is called once it does.
func (f *flow) run(ctx context.Context, began func()) error {
	reader, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer reader.close()
	began()
	for {
		batch, err := reader.collect(ctx)
		if err != nil {
			return err
		}
		f.out.reset()
		for _, m := range batch {
			if err := f.encode(&f.out, m.msg, m.meta); err != nil {
				f.egress.meter.malformed.Add(1)
				f.egress.log.Debug("a result cannot be read", "subject", m.msg.Subject(), "seq", m.meta.Sequence.Stream, "err", err)
			}
		}
		if f.due != nil {
			f.due(&f.out, time.Now(), false)
		}
		if len(batch) == 0 {
			if err := f.egress.send(ctx, f.out.list, place{}); err != nil {
				return err
			}
			continue
		}
		last := batch[len(batch)-1]
		reaches := place{kind: f.durable, created: f.place.created, next: last.meta.Sequence.Stream + 1}
		if err := f.egress.send(ctx, f.out.list, reaches); err != nil {
			return err
		}
		f.place = reaches
		if err := last.msg.Ack(); err != nil {
			return fmt.Errorf("ack results: %w: %w", errBroken, err)
		}
	}
}
