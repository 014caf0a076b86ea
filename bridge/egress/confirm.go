package egress

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// confirmationBacklog is how many confirmations wait for Redis at most. They are
// stored nowhere: what comes beyond is counted by the client, logged, and let go.
const confirmationBacklog = 4096

// confirmations passes the store's confirmations on until ctx ends.
func (e *Egress) confirmations(ctx context.Context) {
	incoming := make(chan *nats.Msg, confirmationBacklog)
	subscription, err := e.nats.ChanSubscribe(stream.Persistence, incoming)
	if err != nil { // only a connection that was closed for good refuses
		e.log.Warn("confirmations of the store are not sent", "err", err)
		return
	}
	defer func() { _ = subscription.Unsubscribe() }() // the connection may be gone
	var out outbox
	for dropped := 0; ; {
		out.reset()
		select {
		case <-ctx.Done():
			return
		case msg := <-incoming:
			e.confirm(&out, msg)
		}
		for len(incoming) > 0 && len(out.list) < batchSize {
			e.confirm(&out, <-incoming)
		}
		if err := e.send(ctx, out.list, place{}); err != nil && ctx.Err() == nil {
			e.log.Debug("confirmations of the store were not sent", "count", len(out.list), "err", err)
		}
		if n, err := subscription.Dropped(); err == nil && n > dropped {
			e.log.Warn("confirmations of the store were let go: redis was away for too many", "count", n-dropped)
			dropped = n
		}
	}
}

func (e *Egress) confirm(out *outbox, msg *nats.Msg) {
	var p event.Persistence
	err := json.Unmarshal(msg.Data, &p)
	if err == nil && (p.Table == "" || p.Timestamp.IsZero()) {
		err = fmt.Errorf("read confirmation %.100q: table or timestamp is missing", msg.Data)
	}
	if err != nil {
		e.meter.malformed.Add(1)
		e.log.Debug("a confirmation of the store cannot be read", "err", err)
		return
	}
	if !e.fresh(p.Timestamp.Time) {
		return
	}
	// What was read is written anew, so that AppV2 gets our shape whoever wrote.
	if _, err := out.marshal(e.cfg.Channels.Persistence, event.NewPersistence(p.SessionID, p.Table, p.Rows, p.Timestamp.Time)); err != nil {
		e.log.Warn("a confirmation cannot be encoded", "err", err)
	}
}
