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
)

const watchDescription = `Follows health, sessions, alerts and gaps until Ctrl-C, beginning with the latest
that the bus has. It waits for a server that is away.

  tickstream watch
  tickstream watch --bus redis
  tickstream watch --json | jq .health.ticks_per_second

On Redis this listens where AppV2 listens, and sees exactly what it gets.`

const (
	busNATS  = "nats"
	busRedis = "redis"
)

func watchCommand() *cli.Command {
	flags := append([]cli.Flag{
		&cli.StringFlag{
			Name: "bus", Sources: env("watch", "bus"), Value: busNATS, Usage: "`BUS` to follow: nats or redis",
			Validator: oneOf(busNATS, busRedis),
		},
		&cli.BoolFlag{Name: "json", Sources: env("watch", "json"), Usage: "print each event as one JSON object"},
	}, natsFlags(defaultNATSURL)...)
	return &cli.Command{
		Name: "watch", Category: categoryLook,
		Usage:       "Follow health, sessions, alerts and gaps on either bus",
		Description: watchDescription,
		Flags:       append(flags, redisFlags(defaultRedisURL)...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			out := newPrinter(cmd.Root().Writer, cmd.Bool("json"))
			if cmd.String("bus") == busRedis {
				return watchRedis(ctx, cmd, out)
			}
			return watchNATS(ctx, cmd, out)
		},
	}
}

func watchNATS(ctx context.Context, cmd *cli.Command, out *printer) error {
	log := logger(cmd)
	nc, err := connectNATS(natsConfigOf(cmd), "watch", log)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("open jetstream: %w", err)
	}
	f := &follower{js: js, out: out, log: log}
	return f.run(ctx)
}

// follower prints the HEALTH stream.
type follower struct {
	js   jetstream.JetStream
	out  *printer
	log  *slog.Logger
	last uint64 // the last sequence that was printed; 0 before the first
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
			f.log.Warn("events cannot be read, trying on", "stream", stream.Health, "err", err)
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
	state, err := bus.Latest(ctx, f.js)
	if err != nil {
		return err
	}
	printed := map[uint64]bool{}
	if f.last == 0 || state.LastSequence < f.last { // new to us, or made anew
		f.last = state.LastSequence
		for _, stored := range []*bus.Stored{state.Session(), state.Health} {
			if stored == nil {
				continue
			}
			printed[stored.Sequence] = true
			if err := f.out.print(stored.Payload); err != nil {
				return &printError{err}
			}
		}
	}
	consumer, err := f.js.OrderedConsumer(ctx, stream.Health, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: f.last + 1,
		MaxResetAttempts: 1, // then it is ours to try, which ends with ctx
	})
	if err != nil {
		return fmt.Errorf("make consumer on %s: %w", stream.Health, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read from %s: %w", stream.Health, err)
	}
	defer messages.Stop()
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		msg, err := messages.Next()
		if err != nil {
			return fmt.Errorf("read from %s: %w", stream.Health, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read a message's place in %s: %w", stream.Health, err)
		}
		f.last = meta.Sequence.Stream
		if printed[f.last] {
			continue
		}
		if err := f.out.print(msg.Data()); err != nil {
			return &printError{err}
		}
	}
}
