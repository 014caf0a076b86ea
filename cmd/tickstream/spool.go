package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/bridge/spool"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/urfave/cli/v3"
)

// spoolOff is the folder that is none.
const spoolOff = "off"

func spoolFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "spool", Sources: env("spool"), Category: categoryBridge, Value: filepath.Join(defaultDataFolder(), "spool"), TakesFile: true,
			Usage: "`FOLDER` for a channel's ticks while JetStream does not take them, or off; bridges may share it"},
		&cli.StringFlag{Name: "spool-bytes", Sources: env("spool-bytes"), Category: categoryBridge, Value: "8GiB",
			Usage: "`SIZE` of the spool; beyond it ticks wait in memory, and then the oldest are shed and counted"},
		&cli.DurationFlag{Name: "spool-sync", Sources: env("spool-sync"), Category: categoryBridge, Value: time.Second,
			Usage: "how long a spooled tick may wait to be written through to the disk (`DURATION`)"},
		&cli.IntFlag{Name: "max-symbols", Sources: env("max-symbols"), Category: categoryBridge, Value: 50_000,
			Usage: "how many different symbols are taken (`COUNT`); ticks of more are refused"},
		&cli.StringFlag{Name: "only-symbols", Sources: env("only-symbols"), Category: categoryBridge, TakesFile: true,
			Usage: "JSON `FILE` with symbols, in the form of --universe-file: ticks of others are refused"},
	}
}

// spoolConfigOf reads the flags.
func spoolConfigOf(cmd *cli.Command) (spool.Config, error) {
	size, err := sizeOf(cmd, "spool-bytes")
	if err != nil {
		return spool.Config{}, err
	}
	if size < 1<<20 {
		return spool.Config{}, flagErrorf(cmd, "spool-bytes", "is %d bytes: give at least 1MiB, or --spool off", size)
	}
	return spool.Config{Dir: cmd.String("spool"), MaxBytes: size, SyncInterval: cmd.Duration("spool-sync")}, nil
}

// openSpool opens the folder of the flags; nil where there is to be none.
func (p *process) openSpool(cmd *cli.Command, cfg bridge.Config) (*bridge.Spool, error) {
	disk, err := spoolConfigOf(cmd)
	if err != nil || cfg.Source != bridge.PubSub || disk.Dir == spoolOff {
		return nil, err
	}
	opened, err := bridge.OpenSpool(cfg, disk, p.log)
	if err != nil {
		return nil, flagErrorf(cmd, "spool", "cannot be used: %v; give a folder that can be written to, or off", err)
	}
	return opened, nil
}

// closingSpool closes it when run has ended.
func closingSpool(disk *bridge.Spool, run func(context.Context) error) func(context.Context) error {
	if disk == nil {
		return run
	}
	return func(ctx context.Context) error { return errors.Join(run(ctx), disk.Close()) }
}

// onlySymbols are the symbols of the file; none where there is no file.
func (p *process) onlySymbols(ctx context.Context, cmd *cli.Command) ([]string, error) {
	file := cmd.String("only-symbols")
	if file == "" {
		return nil, nil
	}
	u, err := universe.Load(ctx, universe.Config{File: file}, nil, p.log)
	if err != nil {
		return nil, flagErrorf(cmd, "only-symbols", "cannot be used: %v", err)
	}
	return u.Symbols, nil
}
