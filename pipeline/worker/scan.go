package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// farBehind is from how many messages on a partition is read with the others:
	// to give it its own messages, the server searches among all.
	farBehind = 20000
	// boarding is how long a scan waits for others, who took over their
	// partitions at the same time.
	boarding = 200 * time.Millisecond
	// together is how many messages a partition is given at once.
	together = 256
	// ahead is how many times as many may wait for it.
	ahead = 16
)

// scan reads TICKS once for all partitions of a worker that are far behind.
// Without a filter the server gives twice as many messages a second; so it pays
// where at least half of them are asked for.
type scan struct {
	js         jetstream.JetStream
	log        *slog.Logger
	partitions int

	wake     chan struct{}
	mu       sync.Mutex
	boarding map[int]*rider
	reading  bool
}

// rider is a partition on a scan.
type rider struct {
	last     uint64 // sequence of the last message that it has
	gone     <-chan struct{}
	messages chan []message // closed at the end
	next     []message
}

func newScan(js jetstream.JetStream, log *slog.Logger, partitions int) *scan {
	return &scan{js: js, log: log, partitions: partitions, wake: make(chan struct{}, 1), boarding: map[int]*rider{}}
}

// join reads the partition from the sequence after last on, until it has caught
// up or the scan cannot go on: then the next is errCaughtUp. It is nil where a
// scan is under way.
func (s *scan) join(ctx context.Context, partition int, last uint64) *input {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading {
		return nil
	}
	ctx, leave := context.WithCancel(ctx)
	r := &rider{last: last, gone: ctx.Done(), messages: make(chan []message, ahead)}
	s.boarding[partition] = r
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return &input{together: r.messages, quiet: time.NewTicker(lookInterval), last: last, stop: leave}
}

// run scans for whoever joins, until ctx ends.
func (s *scan) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		}
		pause(ctx, boarding)
		s.mu.Lock()
		riders := s.boarding
		s.boarding, s.reading = map[int]*rider{}, true
		s.mu.Unlock()
		if 2*len(riders) >= s.partitions {
			if err := s.read(ctx, riders); err != nil && ctx.Err() == nil {
				s.log.Debug("partitions that are behind go on one by one", "err", err)
			}
		}
		for _, r := range riders {
			close(r.messages)
		}
		s.mu.Lock()
		s.reading = false
		s.mu.Unlock()
	}
}

// read gives riders their messages up to what is the end when it gets there.
func (s *scan) read(ctx context.Context, riders map[int]*rider) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	first, places := uint64(0), make([]*rider, s.partitions)
	for partition, r := range riders {
		if first == 0 || r.last < first-1 {
			first = r.last + 1
		}
		places[partition] = r
	}
	consumer, err := s.js.OrderedConsumer(ctx, stream.Ticks, jetstream.OrderedConsumerConfig{
		NamePrefix: stream.ReaderName("catchup"), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: first,
	})
	if err != nil {
		return fmt.Errorf("read %s from %d: %w", stream.Ticks, first, err)
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	var giving sync.Mutex
	over := false
	consuming, err := consumer.Consume(func(msg jetstream.Msg) {
		giving.Lock()
		defer giving.Unlock()
		if over || ctx.Err() != nil {
			return
		}
		m, ok := newMessage(msg)
		if !ok {
			cancel(jetstream.ErrNotJSMessage)
			return
		}
		if p := stream.StoredPartition(msg.Subject()); p >= 0 && p < len(places) && places[p] != nil && m.sequence > places[p].last {
			places[p].take(ctx, m)
		}
		if m.pending == 0 {
			cancel(errCaughtUp)
		}
	}, jetstream.PullMaxMessages(prefetch))
	if err != nil {
		return fmt.Errorf("read %s: %w", stream.Ticks, err)
	}
	select {
	case <-ctx.Done():
	case <-consuming.Closed():
		cancel(jetstream.ErrConsumerDeleted)
	}
	consuming.Stop()
	giving.Lock()
	over = true // whatever is on its way
	giving.Unlock()
	for _, r := range riders {
		r.flush(context.WithoutCancel(ctx))
	}
	return context.Cause(ctx) //nolint:wrapcheck // by whoever set it
}

// take adds a message to those that the rider is given next.
func (r *rider) take(ctx context.Context, m message) {
	r.last = m.sequence
	if r.next == nil {
		r.next = make([]message, 0, together)
	}
	if r.next = append(r.next, m); len(r.next) == together {
		r.flush(ctx)
	}
}

// flush gives the rider what it has not got, unless it is gone.
func (r *rider) flush(ctx context.Context) {
	select {
	case r.messages <- r.next:
		r.next = nil
	case <-r.gone:
	case <-ctx.Done():
	}
}
