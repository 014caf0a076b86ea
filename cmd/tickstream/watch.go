package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

const watchDescription = `Follows what happens until Ctrl-C, one event a line. It waits for a server that
is away.

  tickstream watch                     health, sessions, alerts and gaps, beginning
                                       with the latest that the bus has
  tickstream watch bars signals        what the pipeline makes
  tickstream watch ticks               what comes in
  tickstream watch --bus redis         on AppV2's channels, exactly what it gets
  tickstream watch | jq .health.ticks_per_second

The kinds are health, session, ticks, bars, signals, alerts and rejects; Redis has
no bars and no rejects. On a terminal an event is a short line for people, else it
is one JSON object; --json and --text say otherwise.`

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
		&cli.BoolFlag{Name: "json", Sources: env("watch", "json"), Usage: "print JSON objects on a terminal, too"},
		&cli.BoolFlag{Name: "text", Sources: env("watch", "text"), Usage: "print lines for people elsewhere, too"},
	}, natsFlags(defaultNATSURL)...)
	return &cli.Command{
		Name: "watch", Category: categoryLook,
		Usage:       "Follow health, sessions, ticks, bars, signals, alerts or rejects on either bus",
		ArgsUsage:   "[KIND...]",
		Description: watchDescription,
		Flags:       append(flags, redisFlags(defaultRedisURL)...),
		Action:      watchEvents,
	}
}

func watchEvents(ctx context.Context, cmd *cli.Command) error {
	kinds, err := watchKindsOf(cmd)
	if err != nil {
		return err
	}
	if cmd.Bool("json") && cmd.Bool("text") {
		return usageErrorf("--json and --text exclude each other: give one")
	}
	w := cmd.Root().Writer
	out := newPrinter(w, cmd.Bool("json") || !cmd.Bool("text") && !terminal(w))
	if cmd.String("bus") == busRedis {
		return watchRedis(ctx, cmd, kinds, out)
	}
	return watchNATS(ctx, cmd, kinds, out)
}

// watchKindsOf reads the kinds behind the command, each once.
func watchKindsOf(cmd *cli.Command) ([]watchKind, error) {
	words := cmd.Args().Slice()
	if len(words) == 0 {
		words = defaultWatchKinds
	}
	var kinds []watchKind
	for _, word := range words {
		i := slices.IndexFunc(watchKinds, func(k watchKind) bool { return k.name == word })
		if i < 0 {
			return nil, unknownKind(word)
		}
		kind := watchKinds[i]
		if cmd.String("bus") == busRedis && kind.channels == nil {
			return nil, usageErrorf("there are no %s on Redis: leave out --bus redis", kind.name)
		}
		if !slices.ContainsFunc(kinds, func(k watchKind) bool { return k.name == word }) {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

func unknownKind(word string) error {
	var names []string
	for _, k := range watchKinds {
		names = append(names, k.name)
	}
	message := fmt.Sprintf("watch does not know the kind %q", word)
	if similar := closest(word, names); similar != "" {
		return usageErrorf("%s, did you mean %s?; see tickstream watch --help", message, similar)
	}
	return usageErrorf("%s: give some of %s", message, strings.Join(names, ", "))
}
