package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"
)

func watchNATS(ctx context.Context, cmd *cli.Command, kinds []watchKind, out *printer) error {
	log := logger(cmd)
	nc, err := connectNATS(natsConfigOf(cmd), "watch", log)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for name, subjects := range watchedSubjects(kinds) {
		f := &follower{
			js: js, out: out, log: log, stream: name, subjects: subjects,
			session: watches(kinds, "session"), health: watches(kinds, "health"),
		}
		group.Go(func() error { return f.run(ctx) }) // ends with ctx
	}
	return group.Wait() //nolint:wrapcheck // says itself what it could not do
}

// follower prints some subjects of one stream.
type follower struct {
	js       jetstream.JetStream
	out      *printer
	log      *slog.Logger
	stream   string
	subjects []string
	// session and health: HEALTH begins with the latest of these.
	session, health bool
	last            uint64 // the last sequence that was seen; 0 before the first
	begun           bool
}

// run follows until ctx ends; only a failure to print ends it earlier.
func (f *follower) run(ctx context.Context) error {
	for failures := 1; ; failures++ {
		before := f.last
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if printErr, ok := errors.AsType[*printError](err); ok {
			return printErr.err
		}
		if f.last > before {
			failures = 1
		}
		if failures == 1 {
			f.log.Warn("events cannot be read, trying on", "stream", f.stream, "err", err)
		}
		if !sleep(ctx, backoff(failures)) {
			return nil
		}
	}
}

type printError struct{ err error }

func (e *printError) Error() string { return e.err.Error() }

// follow prints the state, or what was missed, and then each event as it comes.
func (f *follower) follow(ctx context.Context) error {
	printed, err := f.begin(ctx)
	if err != nil {
		return err
	}
	consumer, err := f.js.OrderedConsumer(ctx, f.stream, jetstream.OrderedConsumerConfig{
		NamePrefix: stream.ReaderName("watch"), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.last + 1,
		FilterSubjects:   f.subjects,
		MaxResetAttempts: 1, // then it is ours to try, which ends with ctx
	})
	if err != nil {
		return fmt.Errorf("make consumer on %s: %w", f.stream, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read from %s: %w", f.stream, err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		msg, err := messages.Next()
		if err != nil {
			return fmt.Errorf("read from %s: %w", f.stream, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read a message's place in %s: %w", f.stream, err)
		}
		f.last = meta.Sequence.Stream
		if printed[f.last] {
			continue
		}
		if err := f.out.printMessage(msg.Headers(), meta.Timestamp, msg.Data()); err != nil {
			return &printError{err}
		}
	}
}

// begin finds where to go on: behind what is there when it is first called, or
// when the stream was made anew. Of HEALTH it prints the state then, and returns
// the sequences of what it printed.
func (f *follower) begin(ctx context.Context) (map[uint64]bool, error) {
	if f.stream != stream.Health {
		s, err := f.js.Stream(ctx, f.stream)
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", f.stream, err)
		}
		if end := s.CachedInfo().State.LastSeq; !f.begun || end < f.last {
			f.begun, f.last = true, end
		}
		return nil, nil
	}
	state, err := bus.Latest(ctx, f.js)
	if err != nil {
		return nil, err //nolint:wrapcheck // says itself what it could not do
	}
	printed := map[uint64]bool{}
	if f.begun && f.last <= state.LastSequence {
		return printed, nil
	}
	f.begun, f.last = true, state.LastSequence
	var latest []*bus.Stored
	if f.session {
		latest = append(latest, state.Session())
	}
	if f.health {
		latest = append(latest, state.Health)
	}
	for _, stored := range latest {
		if stored == nil {
			continue
		}
		printed[stored.Sequence] = true
		if err := f.out.print(stored.Payload); err != nil {
			return nil, &printError{err}
		}
	}
	return printed, nil
}
