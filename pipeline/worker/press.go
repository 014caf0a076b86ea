package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// press publishes the batches of all partitions of a worker to one stream. An
// atomic batch costs the server a file and a sync however small it is, one after
// the other: so what comes while one is on its way goes out together in the
// next.
type press struct {
	js jetstream.JetStream
	// first is whose batches this one lets by, where there is one: bars before
	// the many signals on them, that share their connection and their server.
	first *press
	// linger is how long who finds nobody publishing waits for the others: the bars
	// of all partitions close at once, and a second batch would wait for the first.
	linger time.Duration

	mu      sync.Mutex
	idle    chan struct{} // closed when nobody publishes; nil where nobody ever did
	busy    bool          // somebody publishes
	alone   bool          // it has just begun to, and waits for others
	waiting []*sheet
}

// sheet is the batch of one partition, on its way to be stored in one piece.
type sheet struct {
	messages []*nats.Msg
	bytes    int
	turn     chan struct{} // its owner is to publish what waits
	done     chan struct{} // sequence and err are set
	sequence uint64        // of its last message
	err      error
}

// publish stores messages in one piece and returns the sequence of the last. A
// condition of theirs that does not hold is an error of theirs alone.
func (p *press) publish(ctx context.Context, messages []*nats.Msg) (uint64, error) {
	s := &sheet{messages: messages, turn: make(chan struct{}, 1), done: make(chan struct{})}
	for _, m := range messages {
		s.bytes += len(m.Data)
	}
	p.mu.Lock()
	p.waiting = append(p.waiting, s)
	if !p.busy {
		p.busy, p.alone, p.idle = true, true, make(chan struct{})
		s.turn <- struct{}{}
	}
	p.mu.Unlock()
	for {
		select {
		case <-s.done:
			return s.sequence, s.err
		case <-s.turn:
			if p.first != nil {
				p.first.await(ctx)
			}
			p.gather(ctx)
			p.print(ctx)
		case <-ctx.Done():
			p.withdraw(s)
			return 0, fmt.Errorf("publish a batch: %w", ctx.Err())
		}
	}
}

// await returns when nobody publishes, or ctx ends.
func (p *press) await(ctx context.Context) {
	p.mu.Lock()
	idle := p.idle
	p.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// gather waits for the others where nobody published before.
func (p *press) gather(ctx context.Context) {
	p.mu.Lock()
	alone := p.alone
	p.alone = false
	p.mu.Unlock()
	if alone && p.linger > 0 {
		pause(ctx, p.linger)
	}
}

// print publishes what fits one batch, and gives the turn to whoever waits.
func (p *press) print(ctx context.Context) {
	p.mu.Lock()
	n, messages, bytes := 0, 0, 0
	for _, s := range p.waiting {
		if messages, bytes = messages+len(s.messages), bytes+s.bytes; n > 0 && (messages > maxResults+1 || bytes > maxBatchBytes) {
			break
		}
		n++
	}
	sheets := p.waiting[:n:n]
	p.waiting = p.waiting[n:]
	p.mu.Unlock()
	p.store(ctx, sheets)
	for _, s := range sheets {
		close(s.done)
	}
	p.mu.Lock()
	p.pass()
	p.mu.Unlock()
}

// pass gives the turn on; mu is held.
func (p *press) pass() {
	if p.busy = len(p.waiting) > 0; p.busy {
		p.waiting[0].turn <- struct{}{}
	} else {
		close(p.idle)
	}
}

// withdraw takes back what is not being published, and a turn not taken.
func (p *press) withdraw(s *sheet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.waiting {
		if p.waiting[i] == s {
			p.waiting = append(p.waiting[:i:i], p.waiting[i+1:]...)
			break
		}
	}
	select {
	case <-s.turn:
		p.pass()
	default:
	}
}

// store publishes sheets as one batch; where the server refuses it, each as one
// of its own, since it does not say which was at fault.
func (p *press) store(ctx context.Context, sheets []*sheet) {
	var messages []*nats.Msg
	for _, s := range sheets {
		messages = append(messages, s.messages...)
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, p.js, messages, jetstreamext.BatchFlowControl{})
	var refusal jetstream.JetStreamError
	if len(sheets) > 1 && errors.As(err, &refusal) && refusal.APIError() != nil {
		for i := range sheets {
			p.store(ctx, sheets[i:i+1])
		}
		return
	}
	if err != nil {
		for _, s := range sheets {
			s.err = fmt.Errorf("publish a batch: %w", err)
		}
		return
	}
	sequence := ack.Sequence
	for i := len(sheets) - 1; i >= 0; i-- { // a batch has its sequences in a row
		sheets[i].sequence = sequence
		sequence -= uint64(len(sheets[i].messages))
	}
}
