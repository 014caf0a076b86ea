package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/soak"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/urfave/cli/v3"
)

const soakDescription = `Runs the whole as processes of their own (NATS, Redis, two bridges, two pipelines,
two health) under a load of sound, late, doubled, reordered and malformed ticks,
and breaks one part after the other: kill -9, SIGTERM, stalls, cut and hanging
connections, a full stream. At the end every tick in TICKS is compared with what
was published, every bar, signal and alert with a plain recomputation, and with a
database every row. The table must be all zero; exit code 3 says that it is not.

In less than four minutes:
  tickstream bench soak --short

At least 200 faults over at least five million ticks:
  tickstream bench soak

The same schedule again, one kind of fault only, with a database:
  tickstream bench soak --short --seed 7 --only 'kill -9' --database postgres://…

The tables of the database's schema must be empty or missing.`

func benchSoakCommand() *cli.Command {
	return &cli.Command{
		Name: "soak", Usage: "Break one part after the other under load, and check every tick, bar and signal",
		Description: soakDescription,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "short", Sources: env("bench-soak", "short"), Usage: "one to two faults of each kind, in less than four minutes"},
			&cli.Uint64Flag{Name: "seed", Sources: env("bench-soak", "seed"), DefaultText: "a new one, printed", Usage: "`SEED` of the ticks and of the schedule"},
			&cli.FloatFlag{Name: "rate", Sources: env("bench-soak", "rate"), DefaultText: "5000, short 3000", Usage: "`TICKS` a second"},
			&cli.IntFlag{Name: "faults", Sources: env("bench-soak", "faults"), DefaultText: "200, short 30", Usage: "at least so `MANY`"},
			&cli.Int64Flag{Name: "ticks", Sources: env("bench-soak", "ticks"), DefaultText: "5000000, short 100000", Usage: "at least so `MANY`"},
			&cli.DurationFlag{Name: "duration", Sources: env("bench-soak", "duration"), DefaultText: "as long as the others take", Usage: "at least so `LONG`"},
			&cli.StringFlag{Name: "only", Sources: env("bench-soak", "only"), Usage: "only faults whose name in the table holds `TEXT`"},
			&cli.StringFlag{Name: "redis", Sources: env("bench-soak", "redis"), Category: categoryConnection, Usage: "`URL` of a Redis that runs, which is then not killed; none: redis-server where it is installed, else the embedded one"},
			databaseFlag(),
			&cli.StringFlag{Name: "dir", Sources: env("bench-soak", "dir"), DefaultText: "a temporary one", Usage: "empty `FOLDER` for data and logs, kept"},
			&cli.BoolFlag{Name: "json", Sources: env("bench-soak", "json"), Usage: "print the report as one JSON object"},
		},
		Action: runSoak,
	}
}

func runSoak(ctx context.Context, cmd *cli.Command) error {
	log := logger(cmd)
	cfg, err := soakConfigOf(ctx, cmd)
	if err != nil {
		return err
	}
	temporary := cmd.String("dir") == ""
	if temporary {
		if cfg.Dir, err = os.MkdirTemp("", "tickstream-soak-"); err != nil {
			return fmt.Errorf("make a folder: %w", err)
		}
	} else {
		cfg.Dir = cmd.String("dir")
		if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
			return flagErrorf(cmd, "dir", "cannot be made: %v", err)
		}
		if there, err := os.ReadDir(cfg.Dir); err != nil || len(there) > 0 {
			return flagErrorf(cmd, "dir", "is %s, which is not an empty folder: give another", cfg.Dir)
		}
	}
	s, err := soak.New(cfg, log)
	if err != nil {
		return explainSettings(cmd, err)
	}
	log.Info("soak", "seed", cfg.Seed, "rate", cfg.Rate, "faults", cfg.Faults, "ticks", cfg.Ticks, "folder", cfg.Dir)
	report, err := s.Run(ctx)
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	if cmd.Bool("json") {
		err = json.NewEncoder(cmd.Root().Writer).Encode(report)
	} else {
		err = report.Print(cmd.Root().Writer)
	}
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if !report.OK() {
		log.Error("something is wrong; data and logs are kept", "folder", cfg.Dir, "seed", cfg.Seed)
		return &exitError{code: exitUnwell}
	}
	if temporary {
		return os.RemoveAll(cfg.Dir) //nolint:wrapcheck // it names the folder
	}
	return nil
}

func soakConfigOf(ctx context.Context, cmd *cli.Command) (soak.Config, error) {
	binary, err := os.Executable()
	if err != nil {
		return soak.Config{}, fmt.Errorf("find this program: %w", err)
	}
	u, err := universe.Load(ctx, universe.Config{}, nil, logger(cmd)) // the built-in one
	if err != nil {
		return soak.Config{}, fmt.Errorf("load the universe: %w", err)
	}
	cfg := soak.Config{
		Binary: binary, Symbols: u.Symbols, Seed: rand.Uint64N(1 << 32), //nolint:gosec // no secret
		RedisURL: cmd.String("redis"), DatabaseURL: cmd.String("database"), Only: cmd.String("only"),
		Rate: 5000, Faults: 200, Ticks: 5_000_000, MaxHold: 5 * time.Second, LongStall: time.Minute,
	}
	if cmd.Bool("short") {
		cfg.Rate, cfg.Faults, cfg.Ticks, cfg.MaxHold, cfg.LongStall = 3000, 30, 100_000, 2*time.Second, 0
	}
	if cmd.IsSet("seed") {
		cfg.Seed = cmd.Uint64("seed")
	}
	if cmd.IsSet("rate") {
		cfg.Rate = cmd.Float("rate")
	}
	if cmd.IsSet("faults") {
		cfg.Faults = cmd.Int("faults")
	}
	if cmd.IsSet("ticks") {
		cfg.Ticks = cmd.Int64("ticks")
	}
	cfg.Duration = cmd.Duration("duration")
	return cfg, nil
}
