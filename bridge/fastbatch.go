package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// fastFlow is after how many messages the server is asked to acknowledge;
	// it may answer with another number.
	fastFlow = 200
	// fastWindow is how many acknowledgements may be outstanding.
	fastWindow = 20
	// fastPing is after how long without an acknowledgement one is asked for.
	fastPing = time.Second
	// maxAcks bounds the acknowledgements that wait to be read. One that finds
	// no room is as good as lost, and asked for again.
	maxAcks = 4096
)

// What a message of a fast batch is, as its reply subject says (ADR-50).
const (
	fastStart = iota
	fastAdd
	fastCommit
	_
	fastAsk
)

// fastBatch is one fast batch under way: messages go out one behind the other,
// the server acknowledges every so many, and ends the batch where one is missing.
type fastBatch struct {
	nc     *nats.Conn
	acks   chan *nats.Msg
	prefix string // of reply subjects
	flow   int
	begun  bool // the server has taken the batch on
	sent   int
	acked  int
	final  *fastAck
}

// fastAck is whatever the server says of a batch.
type fastAck struct {
	Type      string              `json:"type"` // empty in what ends the batch
	Seq       uint64              `json:"seq"`  // in the batch, and in the stream in what ends the batch
	Messages  int                 `json:"msgs"` // by which it acknowledges
	Count     int                 `json:"count"`
	Duplicate bool                `json:"duplicate"`
	Error     *jetstream.APIError `json:"error"`
}

// publishFast publishes msgs as a fast batch and returns the sequence of the
// last that was stored. On an error the first so many of them may be stored.
func publishFast(ctx context.Context, nc *nats.Conn, msgs []*nats.Msg) (seq uint64, err error) {
	inbox := nc.NewInbox()
	b := &fastBatch{
		nc: nc, flow: fastFlow, prefix: inbox + "." + strconv.Itoa(fastFlow) + ".fail.",
		acks: make(chan *nats.Msg, min(len(msgs), maxAcks)+fastWindow),
	}
	replies, err := nc.ChanSubscribe(inbox+".>", b.acks)
	if err != nil {
		return 0, fmt.Errorf("listen for acknowledgements: %w", err)
	}
	defer func() { _ = replies.Unsubscribe() }() // fails on a closed connection, where it is gone
	for i, msg := range msgs {
		if err := b.send(msg, i == len(msgs)-1); err != nil {
			return 0, err
		}
		for b.final == nil && (b.mustWait() || len(b.acks) > 0) {
			if err := b.await(ctx, msg.Subject); err != nil {
				return 0, fmt.Errorf("after %d of %d messages: %w", b.sent, len(msgs), err)
			}
		}
		if b.final != nil {
			break
		}
	}
	for b.final == nil {
		if err := b.await(ctx, msgs[0].Subject); err != nil {
			return 0, fmt.Errorf("commit %d messages: %w", len(msgs), err)
		}
	}
	switch {
	case b.final.Error != nil:
		return 0, b.final.Error
	case b.final.Duplicate:
		return 0, errDuplicate
	case b.final.Count != len(msgs):
		return 0, fmt.Errorf("server took %d of %d messages", b.final.Count, len(msgs))
	}
	return b.final.Seq, nil
}

func (b *fastBatch) send(msg *nats.Msg, last bool) error {
	kind := fastAdd
	switch {
	case last:
		kind = fastCommit
	case b.sent == 0:
		kind = fastStart
	}
	msg.Reply = b.reply(b.sent+1, kind)
	if err := b.nc.PublishMsg(msg); err != nil {
		return fmt.Errorf("publish message %d: %w", b.sent+1, err)
	}
	b.sent++
	return nil
}

func (b *fastBatch) reply(seq, kind int) string {
	return b.prefix + strconv.Itoa(seq) + "." + strconv.Itoa(kind) + ".$FI"
}

// mustWait tells whether the server has to say something before more is sent.
func (b *fastBatch) mustWait() bool {
	return !b.begun || b.sent >= b.acked+b.flow*fastWindow
}

// await takes one acknowledgement, and asks for it where it stays away.
func (b *fastBatch) await(ctx context.Context, subject string) error {
	timer := time.NewTimer(fastPing)
	defer timer.Stop()
	for {
		select {
		case msg := <-b.acks:
			return b.take(msg)
		case <-ctx.Done():
			return fmt.Errorf("no acknowledgement: %w", context.Cause(ctx))
		case <-timer.C:
			if err := b.nc.PublishRequest(subject, b.reply(b.sent, fastAsk), nil); err != nil {
				return fmt.Errorf("ask for an acknowledgement: %w", err)
			}
			timer.Reset(fastPing)
		}
	}
}

func (b *fastBatch) take(msg *nats.Msg) error {
	if len(msg.Data) == 0 {
		return nats.ErrNoResponders
	}
	var ack fastAck
	if err := json.Unmarshal(msg.Data, &ack); err != nil {
		return fmt.Errorf("read an acknowledgement: %w", err)
	}
	switch ack.Type {
	case "":
		b.final = &ack
	case "ack":
		b.begun, b.acked, b.flow = true, max(b.acked, int(ack.Seq)), max(ack.Messages, 1)
	case "gap":
		return fmt.Errorf("a message was lost on the way to the server")
	case "err":
		return fmt.Errorf("message %d: %w", ack.Seq, ack.Error)
	}
	return nil
}
