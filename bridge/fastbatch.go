package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// fastFlow is after how many messages the server is asked to acknowledge;
	// it may answer with another number.
	fastFlow = 200
	// fastWindow is how many acknowledgements may be outstanding: a whole batch,
	// which is far below what the server takes in without being held up.
	fastWindow = 50
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

// fastPublisher publishes fast batches, one at a time.
type fastPublisher struct {
	nc    *nats.Conn
	inbox string
	acks  chan *nats.Msg
	named bool   // the first message of a batch holds its name
	last  uint64 // batch
	// latest is the name of the last batch that was begun; empty before.
	latest string
	ends   int // asked for
	heard  *nats.Subscription
}

// newFastPublisher makes one; close it when it is no longer needed.
func newFastPublisher(nc *nats.Conn, named bool) *fastPublisher {
	return &fastPublisher{nc: nc, named: named, inbox: nc.NewInbox(), acks: make(chan *nats.Msg, maxAcks)}
}

// listen subscribes to the acknowledgements of all batches; nats.go does so
// again on each new connection.
func (p *fastPublisher) listen() error {
	if p.heard != nil && p.heard.IsValid() {
		return nil
	}
	var err error
	if p.heard, err = p.nc.ChanSubscribe(p.inbox+".>", p.acks); err != nil {
		return fmt.Errorf("listen for acknowledgements: %w", err)
	}
	return nil
}

func (p *fastPublisher) close() {
	if p.heard != nil {
		_ = p.heard.Unsubscribe() // fails on a closed connection, where it is gone
	}
}

// fastBatch is one fast batch under way: messages go out one behind the other,
// the server acknowledges every so many, and ends the batch where one is missing.
type fastBatch struct {
	nc     *nats.Conn
	acks   <-chan *nats.Msg
	name   string
	own    string // prefix of the subjects of its acknowledgements
	prefix []byte // of reply subjects
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

// publish publishes msgs as a fast batch and returns the sequence of the last
// that was stored. On an error the first so many of them may be stored, or be
// stored yet, until the batch is ended.
func (p *fastPublisher) publish(ctx context.Context, msgs []*nats.Msg) (seq uint64, err error) {
	if err := p.listen(); err != nil {
		return 0, err
	}
	b := p.begin()
	if p.named {
		msgs[0].Header.Set(batchHeader, b.name)
		defer msgs[0].Header.Del(batchHeader)
	}
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

// begin is a batch of which nothing is sent yet.
func (p *fastPublisher) begin() *fastBatch {
	p.last++
	name := p.inbox[strings.LastIndexByte(p.inbox, '.')+1:] + "-" + strconv.FormatUint(p.last, 36)
	p.latest = name
	return p.batch(name)
}

// batch is one of that name, which is its own in the whole server: the token
// before the flow.
func (p *fastPublisher) batch(name string) *fastBatch {
	own := p.inbox + "." + name + "."
	return &fastBatch{
		nc: p.nc, acks: p.acks, flow: fastFlow, name: name, own: own,
		prefix: append([]byte(own), strconv.Itoa(fastFlow)+".fail."...),
	}
}

// beyond is a place in a batch that none reaches, nor any behind it.
const beyond = 1 << 40

// end ends a batch, whoever began it: nothing more of it is stored. To be asked how
// far it is by who claims to be further shows the server that a message is missing.
// A message out of its place would as well, but has no answer from a batch that is
// about to end and cannot, as where the stream was full in the middle of it.
func (p *fastPublisher) end(ctx context.Context, subject, name string) error {
	if err := p.listen(); err != nil {
		return err
	}
	b := p.batch(name)
	p.ends++
	reply := b.reply(beyond+p.ends, fastAsk)
	if err := p.nc.PublishRequest(subject, reply, nil); err != nil {
		return fmt.Errorf("end batch %s: %w", name, err)
	}
	for {
		select {
		case msg := <-p.acks:
			if msg.Subject != reply {
				continue // to a message of the batch, and sent before it ends
			}
			if err := ended(msg); err != nil {
				return fmt.Errorf("end batch %s: %w", name, err)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("end batch %s: %w", name, context.Cause(ctx))
		}
	}
}

// codeUnknownBatch is the server's for a batch that is not under way.
const codeUnknownBatch jetstream.ErrorCode = 10208

// ended tells whether what the server answers to a question from beyond a batch
// says that it has ended. Other errors, as of a limit, come before it
// has looked for the batch, which goes on.
func ended(answer *nats.Msg) error {
	if len(answer.Data) == 0 {
		return nats.ErrNoResponders
	}
	var ack fastAck
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return fmt.Errorf("read an acknowledgement: %w", err)
	}
	if ack.Error != nil && ack.Error.ErrorCode != codeUnknownBatch {
		return ack.Error
	}
	return nil
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
	subject := strconv.AppendInt(append(make([]byte, 0, 96), b.prefix...), int64(seq), 10)
	return string(append(append(append(subject, '.'), byte('0'+kind)), ".$FI"...))
}

// mustWait tells whether the server has to say something before more is sent.
// As much as it acknowledges at once goes out before it has taken the batch on,
// so that a few ticks wait for one answer only.
func (b *fastBatch) mustWait() bool {
	if !b.begun {
		return b.sent >= fastFlow
	}
	return b.sent >= b.acked+b.flow*fastWindow
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
	if !strings.HasPrefix(msg.Subject, b.own) {
		return nil // of an earlier batch
	}
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
