package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/tickstock/tickstream/cmd/tickstream/feed"
	"github.com/urfave/cli/v3"
)

const simDescription = `Publishes ticks to Redis in the very form in which AppV2 does: made-up ones for
the symbols of a universe, or recorded ones from a file. Prices wander, volumes
follow the trading day, and the same seed gives the same ticks again.

60 ticks a second until Ctrl-C:
  tickstream sim

What a bad day looks like:
  tickstream sim --rate 5000 --malformed 0.01 --late 0.02 --duplicate 0.01 --out-of-order 0.02

A million ticks as fast as 100,000 a second:
  tickstream sim --rate 100000 --count 1000000

Yesterday again, ten times as fast:
  tickstream replay --from -24h > ticks.ndjson
  tickstream sim --from ticks.ndjson --speed 10

Counts are printed at the end.`

func simCommand() *cli.Command {
	flags := append([]cli.Flag{
		&cli.FloatFlag{Name: "rate", Sources: env("sim", "rate"), Value: 60, Usage: "`TICKS` a second, at most 1000000"},
		&cli.IntFlag{Name: "symbols", Sources: env("sim", "symbols"), DefaultText: "all", Usage: "take only the first `N` symbols of the universe"},
		&cli.Uint64Flag{Name: "seed", Sources: env("sim", "seed"), Value: 1, Usage: "`SEED` of the prices"},
		&cli.StringFlag{Name: "shape", Sources: env("sim", "shape"), Value: string(feed.Market), Usage: "`SHAPE` of the ticks: market (tickstock:market:ticks) or raw (tickstock.data.raw)"},
		&cli.StringFlag{Name: "channel", Sources: env("sim", "channel"), DefaultText: "the shape's own", Usage: "Redis `CHANNEL` to publish on"},
		&cli.StringFlag{Name: "source", Sources: env("sim", "source"), Value: "simulated", Usage: "`SOURCE` that the ticks name"},
		&cli.FloatFlag{Name: "malformed", Sources: env("sim", "malformed"), Usage: "`SHARE` of messages that are no valid tick, 0 to 1"},
		&cli.FloatFlag{Name: "late", Sources: env("sim", "late"), Usage: "`SHARE` of ticks whose time is well past, 0 to 1"},
		&cli.DurationFlag{Name: "late-by", Sources: env("sim", "late-by"), Value: 0, DefaultText: "2m", Usage: "`AGE` of a late tick at most"},
		&cli.DurationFlag{Name: "clock-off", Sources: env("sim", "clock-off"), DefaultText: "the true time", Usage: "date ticks by a clock that is ahead by this `TIME`, or behind if negative"},
		&cli.FloatFlag{Name: "duplicate", Sources: env("sim", "duplicate"), Usage: "`SHARE` of ticks that are sent twice, 0 to 0.5"},
		&cli.FloatFlag{Name: "out-of-order", Sources: env("sim", "out-of-order"), Usage: "`SHARE` of ticks that come behind a younger one of their symbol, 0 to 0.5"},
		&cli.StringFlag{Name: "from", Sources: env("sim", "from"), TakesFile: true, Usage: "publish the ticks recorded in `FILE` (one a line, - for standard input) as they are"},
		speedFlag("sim", "1"),
		&cli.DurationFlag{Name: "duration", Sources: env("sim", "duration"), DefaultText: "no end", Usage: "stop after this `TIME`"},
		&cli.Int64Flag{Name: "count", Sources: env("sim", "count"), DefaultText: "no end", Usage: "stop after `N` ticks"},
	}, redisFlags(defaultRedisURL)...)
	flags = append(append(flags, universeFlags()...), databaseFlags()...)
	return &cli.Command{
		Name: "sim", Category: categoryFeed,
		Usage:       "Publish a realistic feed of ticks to Redis, as AppV2 does",
		Description: simDescription,
		Flags:       flags,
		Action:      simulate,
	}
}

func simulate(ctx context.Context, cmd *cli.Command) error {
	log := logger(cmd)
	channels := channelsOf(cmd)
	speed, err := speedOf(cmd)
	if err != nil {
		return err
	}
	cfg := feed.Config{
		Rate: cmd.Float("rate"), Seed: cmd.Uint64("seed"), Shape: feed.Shape(cmd.String("shape")),
		Channel: cmd.String("channel"), Source: cmd.String("source"),
		Malformed: cmd.Float("malformed"), Late: cmd.Float("late"), LateBy: cmd.Duration("late-by"), ClockOff: cmd.Duration("clock-off"),
		Duplicate: cmd.Float("duplicate"), OutOfOrder: cmd.Float("out-of-order"),
		Speed: speed, Count: cmd.Int64("count"), Duration: cmd.Duration("duration"),
	}
	if cmd.IsSet("count") && cfg.Count < 1 {
		return flagErrorf(cmd, "count", "is %d: give at least 1, or leave it out for no end", cfg.Count)
	}
	if cmd.IsSet("from") && cmd.String("from") == "" {
		return flagErrorf(cmd, "from", "is empty: give a file, or leave it out for made-up ticks")
	}
	if cfg.Channel == "" {
		cfg.Channel = channels.Ticks
		if cfg.Shape == feed.Raw {
			cfg.Channel = channels.RawTicks
		}
	}
	checking := cfg
	checking.Symbols = []string{"A", "B"} // for those that are loaded below
	if err := checking.Validate(); err != nil {
		return explainSettings(cmd, err)
	}
	if path := cmd.String("from"); path != "" {
		file, closeFile, err := openInput(cmd, path)
		if err != nil {
			return err
		}
		defer closeFile()
		cfg.From = file
	} else if cfg.Symbols, err = simSymbols(ctx, cmd); err != nil {
		return err
	}

	redisCfg := redisConfigOf(cmd)
	redisCfg.NoRetries = true
	client, err := connectRedis(redisCfg, "sim")
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // nothing is left to send
	f, err := feed.New(cfg, client, log)
	if err != nil {
		return explainSettings(cmd, err)
	}
	log.Info("publishing ticks", "channel", cfg.Channel, "redis", redact(redisCfg.URL), "rate", cfg.Rate, "symbols", len(cfg.Symbols))
	err = f.Run(ctx)
	printCounts(cmd.Root().ErrWriter, f.Counts())
	return err
}

// simSymbols are the first symbols of the universe.
func simSymbols(ctx context.Context, cmd *cli.Command) ([]string, error) {
	n := cmd.Int("symbols")
	if n < 0 || n == 0 && cmd.IsSet("symbols") {
		return nil, flagErrorf(cmd, "symbols", "is %d: give at least 1", n)
	}
	u, err := loadUniverse(ctx, cmd, logger(cmd))
	if err != nil {
		return nil, err
	}
	if n > len(u.Symbols) {
		return nil, flagErrorf(cmd, "symbols", "is %d: universe %s has %d", n, u.Key, len(u.Symbols))
	}
	if n > 0 {
		return u.Symbols[:n], nil
	}
	return u.Symbols, nil
}

// openInput opens a file, or standard input for a dash.
func openInput(cmd *cli.Command, path string) (io.Reader, func(), error) {
	if path == "-" {
		return cmd.Root().Reader, func() {}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, flagErrorf(cmd, "from", "cannot be read: %v", err)
	}
	return file, func() { _ = file.Close() }, nil
}

func printCounts(w io.Writer, c feed.Counts) {
	rate := 0.0
	if seconds := c.Elapsed.Seconds(); seconds > 0 {
		rate = float64(c.Sent) / seconds
	}
	_, _ = fmt.Fprintf(w, "sent %d ticks in %.1f s (%.1f/s), failed %d; among the sent: malformed %d, late %d, duplicate %d, out of order %d; receivers of the last: %d\n",
		c.Sent, c.Elapsed.Seconds(), rate, c.Failed, c.Malformed, c.Late, c.Duplicate, c.OutOfOrder, c.Receivers)
}

// speedFlag is --speed of a command.
func speedFlag(command, fallback string) cli.Flag {
	return &cli.StringFlag{
		Name: "speed", Sources: env(command, "speed"), Value: fallback,
		Usage: "`FACTOR` by which recorded ticks are faster than they were (1, 10), or max",
	}
}

// speedOf is the factor of --speed, 0 for max.
func speedOf(cmd *cli.Command) (float64, error) {
	text := cmd.String("speed")
	if text == "max" {
		return 0, nil
	}
	speed, err := strconv.ParseFloat(text, 64)
	if err != nil || !(speed > 0 && speed <= 1e9) {
		return 0, flagErrorf(cmd, "speed", "is %q: give a number above 0, such as 1 or 10, or max", text)
	}
	return speed, nil
}
