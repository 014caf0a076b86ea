package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/ceiling"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/urfave/cli/v3"
)

// What a benchmark runs in processes of its own, so that what each spends is
// known. They leave their result in a file.

func childFlags(command string, more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "nats", Sources: env(command, "nats"), Usage: "`URL` of NATS"},
		&cli.StringFlag{Name: "result", Sources: env(command, "result"), Usage: "`FILE` for the result"},
	}, more...)
}

func benchLoadCommand() *cli.Command {
	return &cli.Command{
		Name: "load", Hidden: true, Usage: "Be the feed of a benchmark: numbered ticks to Redis, by hand-made protocol",
		Flags: childFlags("bench-load",
			&cli.StringFlag{Name: "redis", Sources: env("bench-load", "redis"), Required: true, Usage: "`URL` of Redis"},
			&cli.StringFlag{Name: "channel", Sources: env("bench-load", "channel"), Required: true, Usage: "`NAME` of the channel"},
			&cli.IntFlag{Name: "symbols", Sources: env("bench-load", "symbols"), Value: 500, Usage: "`N` symbols"},
			&cli.Int64Flag{Name: "ticks", Sources: env("bench-load", "ticks"), Value: 1_000_000, Usage: "`N` ticks"},
			&cli.FloatFlag{Name: "rate", Sources: env("bench-load", "rate"), Usage: "`TICKS` a second; 0: as fast as Redis takes them"},
			&cli.Int64Flag{Name: "backlog", Sources: env("bench-load", "backlog"), Usage: "at most `N` ticks that --stream has not stored"},
			&cli.StringFlag{Name: "stream", Sources: env("bench-load", "stream"), Usage: "`NAME` of the stream that stores them"},
		),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			cfg := load.Config{
				RedisURL: cmd.String("redis"), Channel: cmd.String("channel"), Symbols: cmd.Int("symbols"),
				Ticks: cmd.Int64("ticks"), Rate: cmd.Float("rate"), Backlog: cmd.Int64("backlog"),
			}
			if cfg.Backlog > 0 {
				nc, err := nats.Connect(cmd.String("nats"))
				if err != nil {
					return fmt.Errorf("connect to NATS: %w", err)
				}
				defer nc.Close()
				if cfg.Stored, err = storedIn(ctx, nc, cmd.String("stream")); err != nil {
					return err
				}
			}
			result, err := load.Run(ctx, cfg)
			if err != nil {
				return err //nolint:wrapcheck // it says what failed
			}
			return leave(cmd, result)
		},
	}
}

// storedIn asks a stream how many messages it has got from now on.
func storedIn(ctx context.Context, nc *nats.Conn, name string) (func(context.Context) (int64, error), error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	s, err := js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", name, err)
	}
	before := s.CachedInfo().State.Msgs
	return func(ctx context.Context) (int64, error) {
		info, err := s.Info(ctx)
		if err != nil {
			return 0, fmt.Errorf("look up stream %s: %w", name, err)
		}
		return int64(info.State.Msgs - before), nil //nolint:gosec // messages fit
	}, nil
}

func benchNaiveCommand() *cli.Command {
	return &cli.Command{
		Name: "naive", Hidden: true, Usage: "Be the loop that a bridge is measured against",
		Flags: childFlags("bench-naive",
			&cli.StringFlag{Name: "redis", Sources: env("bench-naive", "redis"), Required: true, Usage: "`URL` of Redis"},
			&cli.StringFlag{Name: "channel", Sources: env("bench-naive", "channel"), Required: true, Usage: "`NAME` of the channel"},
		),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			cost, err := ceiling.Naive(ctx, cmd.String("redis"), cmd.String("channel"), cmd.String("nats"))
			if err != nil {
				return err //nolint:wrapcheck // it says what failed
			}
			return leave(cmd, cost)
		},
	}
}

func benchConsumeCommand() *cli.Command {
	return &cli.Command{
		Name: "consume", Hidden: true, Usage: "Be the consumer that a pipeline and a replay are measured against",
		Flags: childFlags("bench-consume", &cli.StringFlag{Name: "stream", Sources: env("bench-consume", "stream"), Required: true, Usage: "`NAME` of the stream"}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			cost, err := ceiling.Consume(ctx, cmd.String("nats"), cmd.String("stream"))
			if err != nil {
				return err //nolint:wrapcheck // it says what failed
			}
			return leave(cmd, cost)
		},
	}
}

// leave writes the result, to standard output where no file is given.
func leave(cmd *cli.Command, result any) error {
	data, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	file := cmd.String("result")
	if file == "" {
		_, err = fmt.Fprintf(cmd.Root().Writer, "%s\n", data)
	} else {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
