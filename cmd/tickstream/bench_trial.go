package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/trial"
	"github.com/urfave/cli/v3"
)

// benchTrialCommands are one for each benchmark and one for all.
func benchTrialCommands() []*cli.Command {
	var commands []*cli.Command
	for _, t := range trial.All() {
		commands = append(commands, benchTrialCommand(t.Name, t.Usage, t))
	}
	return append(commands, benchTrialCommand("all", "All of these in one run, and the one table of targets", trial.All()...))
}

func benchTrialCommand(name, usage string, trials ...trial.Trial) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage,
		Flags: trialFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return runTrials(ctx, cmd, trials)
		},
	}
}

func trialFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "rounds", Sources: env("bench", "rounds"), Value: 3, Usage: "`N` rounds of each measurement"},
		&cli.Int64Flag{Name: "ticks", Sources: env("bench", "ticks"), Value: 1_000_000, Usage: "`N` ticks in a measurement of rates"},
		&cli.Int64Flag{Name: "burst", Sources: env("bench", "burst"), Value: 1_000_000, Usage: "`N` ticks at once"},
		&cli.IntFlag{Name: "symbols", Sources: env("bench", "symbols"), Value: 500, Usage: "`N` symbols"},
		&cli.IntFlag{Name: "many-symbols", Sources: env("bench", "many-symbols"), Value: 10_000, Usage: "`N` symbols of the second measurement of the pipeline"},
		&cli.IntSliceFlag{Name: "sizes", Sources: env("bench", "sizes"), Value: []int{60, 500, 5000, 20_000}, Usage: "`NUMBERS` of symbols over which growth is measured"},
		&cli.FloatSliceFlag{Name: "rates", Sources: env("bench", "rates"), Value: []float64{1000, 10_000, 50_000}, Usage: "`TICKS` a second at which latency is measured"},
		&cli.DurationFlag{Name: "duration", Sources: env("bench", "duration"), Value: 10 * time.Second, Usage: "how long latency is measured at each rate (`DURATION`)"},
		&cli.IntFlag{Name: "minutes", Sources: env("bench", "minutes"), Value: 2, Usage: "`N` minute ends to live through in a round of e2e"},
		&cli.DurationFlag{Name: "idle", Sources: env("bench", "idle"), Value: 20 * time.Second, Usage: "how long nothing is done (`DURATION`)"},
		&cli.StringFlag{Name: "nats", Sources: env("bench", "nats"), Category: categoryConnection, Usage: "`URL` of a NATS that holds no stream of tickstream; none: a server of the benchmark's own"},
		&cli.StringFlag{Name: "redis", Sources: env("bench", "redis"), Category: categoryConnection, Usage: "`URL` of a Redis; none: redis-server where it is installed, else the embedded one"},
		&cli.StringFlag{Name: "dir", Sources: env("bench", "dir"), DefaultText: "a temporary one", Usage: "empty `FOLDER` for data and logs, kept"},
		&cli.BoolFlag{Name: "json", Sources: env("bench", "json"), Usage: "print the report as one JSON object"},
	}
}

func runTrials(ctx context.Context, cmd *cli.Command, trials []trial.Trial) (err error) {
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	cfg := trial.Config{
		Binary: binary, NATSURL: cmd.String("nats"), RedisURL: cmd.String("redis"), Rounds: cmd.Int("rounds"),
		Ticks: cmd.Int64("ticks"), Burst: cmd.Int64("burst"), Symbols: cmd.Int("symbols"), ManySymbols: cmd.Int("many-symbols"),
		Sizes: cmd.IntSlice("sizes"), Rates: cmd.FloatSlice("rates"), Duration: cmd.Duration("duration"),
		Minutes: cmd.Int("minutes"), Idle: cmd.Duration("idle"),
	}
	if err := cfg.Validate(); err != nil {
		return explainSettings(cmd, err)
	}
	dir, done, err := benchFolder(cmd, "tickstream-bench-")
	if err != nil {
		return err
	}
	cfg.Dir = dir
	defer func() { err = done(err) }()
	lab, err := trial.NewLab(ctx, cfg, logger(cmd))
	if err != nil {
		return err //nolint:wrapcheck // it says what failed
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	report := figure.Report{Machine: lab.Machine(), Servers: lab.Servers(), Rounds: cfg.Rounds}
	for _, t := range trials {
		part, failed := t.Run(ctx, lab)
		if failed != nil {
			part.Problems = append(part.Problems, failed.Error())
		}
		report.Parts = append(report.Parts, *part)
		if ctx.Err() != nil {
			break
		}
	}
	if cmd.Bool("json") {
		err = json.NewEncoder(cmd.Root().Writer).Encode(report)
	} else {
		err = report.Print(cmd.Root().Writer)
	}
	switch {
	case err != nil:
		return fmt.Errorf("print the report: %w", err)
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted}
	case !report.OK():
		return &exitError{code: exitUnwell}
	}
	return nil
}

// benchFolder is the folder of --dir, or a temporary one, which done takes away
// where all went well.
func benchFolder(cmd *cli.Command, pattern string) (dir string, done func(error) error, err error) {
	if dir = cmd.String("dir"); dir == "" {
		if dir, err = os.MkdirTemp("", pattern); err != nil {
			return "", nil, fmt.Errorf("make a folder: %w", err)
		}
		return dir, func(err error) error {
			if err != nil {
				logger(cmd).Warn("data and logs are kept", "folder", dir)
				return err
			}
			return os.RemoveAll(dir) //nolint:wrapcheck // it names the folder
		}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, flagErrorf(cmd, "dir", "cannot be made: %v", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return "", nil, flagErrorf(cmd, "dir", "is %s, which is not an empty folder: give another", dir)
	}
	return dir, func(err error) error { return err }, nil
}
