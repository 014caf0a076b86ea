package bridge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	// clockSkew is how far the clocks of Redis, NATS and the bridge may be apart.
	clockSkew = time.Minute
	// shortTail is how many messages are read rather than looked up by time.
	shortTail = 10_000
	// lastSequenceHeader, of a message in an answer of several, is the sequence of
	// the one before it in that answer; 0 in the first.
	lastSequenceHeader = "Nats-Last-Sequence"
	// readBatch is how many messages are asked for at once.
	readBatch = 1000
)

// search looks for message ids in a stream, up to its end as the leader knows
// it. It keeps its progress: run after an error goes on where it stopped, so
// each attempt comes nearer to the end however long the way is.
type search struct {
	js      jetstream.JetStream
	stream  string
	timeout time.Duration   // of one request
	since   time.Time       // nothing that is looked for is older
	behind  place           // nor before this, as long as this is there
	found   map[string]bool // by the ids that are looked for
	// visit, where set, is given each id on the way, and begun is called
	// whenever the way is begun, as again where the stream was made anew.
	visit func(id string)
	begun func()
	// rename, where set, makes of an id that of the same message as it is looked for.
	rename func(id string) string

	created time.Time // of the stream that next is a place in
	next    uint64
	copies  int    // of the stream
	at      place  // of the last message on the way
	batch   string // that began last on the way
	under   string // the batch in which came what was found last
}

func newSearch(js jetstream.JetStream, stream string, timeout time.Duration, since time.Time, behind place, ids []string) *search {
	s := &search{
		js: js, stream: stream, timeout: timeout,
		since: since.Add(-clockSkew), behind: behind, found: make(map[string]bool, len(ids)),
	}
	for _, id := range ids {
		s.found[id] = false
	}
	return s
}

// run reads up to the end that the stream has now.
func (s *search) run(ctx context.Context) error {
	info, err := streamInfo(ctx, s.js, s.stream, s.timeout)
	if err != nil {
		return err
	}
	s.copies = info.Config.Replicas
	if !info.Created.Equal(s.created) || info.State.LastSeq+1 < s.next {
		// Not begun yet, or the stream was made anew or set back.
		for id := range s.found {
			s.found[id] = false
		}
		s.at, s.batch, s.under = place{}, "", ""
		if s.begun != nil {
			s.begun()
		}
		next, err := s.begin(ctx, info)
		if err != nil {
			return err
		}
		s.next, s.created = next, info.Created
	}
	for s.next <= info.State.LastSeq {
		if err := s.readOn(ctx, info.State.LastSeq); err != nil {
			return err
		}
	}
	return nil
}

// begin is the sequence from which on all that is looked for is: behind the
// place that is known where that still holds, and never long before since.
func (s *search) begin(ctx context.Context, info *jetstream.StreamInfo) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	first, err := s.behindPlace(ctx, info)
	if err != nil {
		return 0, err
	}
	if first != 0 && info.State.LastSeq < first+shortTail {
		return first, nil
	}
	if info.State.Msgs == 0 || info.State.LastTime.Before(s.since) {
		return info.State.LastSeq + 1, nil
	}
	msg, err := stream.AtLeader(ctx, s.js, s.stream, stream.Place{Since: &s.since, Next: stream.Anything})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return info.State.LastSeq + 1, nil
	}
	if err != nil {
		return 0, err //nolint:wrapcheck // it says what was done
	}
	return max(first, msg.Sequence), nil
}

// behindPlace is the first sequence behind the place that is known; 0 if the
// stream no longer has it there, as after a power cut.
func (s *search) behindPlace(ctx context.Context, info *jetstream.StreamInfo) (uint64, error) {
	if !s.behind.created.Equal(info.Created) || info.State.LastSeq < s.behind.seq {
		return 0, nil
	}
	if s.behind.id == "" || s.behind.seq < info.State.FirstSeq {
		return max(s.behind.seq+1, info.State.FirstSeq), nil
	}
	msg, err := stream.AtLeader(ctx, s.js, s.stream, stream.Place{Seq: s.behind.seq, Next: stream.Anything})
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && (msg.Sequence != s.behind.seq || idOf(msg.Header) != s.behind.id) {
		return 0, nil
	}
	return s.behind.seq + 1, err
}

// readOn reads the next messages up to sequence end. Any replica may answer; what
// one of them does not have is asked of the leader, for it may be behind.
func (s *search) readOn(ctx context.Context, end uint64) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	from := s.next
	batch, err := jetstreamext.GetBatch(ctx, s.js, s.stream, readBatch, jetstreamext.GetBatchSeq(from))
	if err != nil {
		return fmt.Errorf("read %s from sequence %d: %w", s.stream, from, err)
	}
	before := uint64(0)
	for msg, err := range batch {
		if errors.Is(err, jetstreamext.ErrNoMessages) {
			return s.readAtLeader(ctx, end)
		}
		if err != nil {
			return fmt.Errorf("read %s from sequence %d: %w", s.stream, s.next, err)
		}
		// A part of the answer may be lost with a connection, and the rest come
		// over the next.
		if told := msg.Header.Get(lastSequenceHeader); told != "" && told != strconv.FormatUint(before, 10) {
			return fmt.Errorf("read %s from sequence %d: the answer has a hole before %d", s.stream, s.next, msg.Sequence)
		}
		before = msg.Sequence
		s.note(msg.Sequence, msg.Header)
	}
	if s.next == from {
		// A batch that ends early for want of time ends without an error.
		return fmt.Errorf("read %s from sequence %d: no answer: %w", s.stream, from, context.Cause(ctx))
	}
	return nil
}

// readAtLeader reads one message, or steps over a hole at the end.
func (s *search) readAtLeader(ctx context.Context, end uint64) error {
	msg, err := stream.AtLeader(ctx, s.js, s.stream, stream.Place{Seq: s.next, Next: stream.Anything})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		s.next = end + 1
		return nil
	}
	if err != nil {
		return err
	}
	s.note(msg.Sequence, msg.Header)
	return nil
}

func (s *search) note(seq uint64, header nats.Header) {
	s.next = seq + 1
	id := idOf(header)
	s.at = place{seq: seq, id: id}
	if begun := header.Get(batchHeader); begun != "" {
		s.batch = begun
	}
	if s.visit != nil {
		s.visit(id)
	}
	if s.rename != nil && id != "" {
		id = s.rename(id)
	}
	if _, wanted := s.found[id]; wanted {
		s.found[id], s.under = true, s.batch
	}
}

// end is the place up to which was read.
func (s *search) end() place {
	end := place{created: s.created, seq: s.next - 1}
	if s.at.seq == end.seq {
		end.id = s.at.id
	}
	return end
}

// withoutFound are those of msgs that the stream does not hold.
func (s *search) withoutFound(msgs []*nats.Msg) []*nats.Msg {
	missing := msgs[:0:0]
	for _, msg := range msgs {
		if !s.found[idOf(msg.Header)] {
			missing = append(missing, msg)
		}
	}
	return missing
}

// streamInfo is what the stream's leader says of it now.
func streamInfo(ctx context.Context, js jetstream.JetStream, stream string, timeout time.Duration) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	return s.CachedInfo(), nil
}
