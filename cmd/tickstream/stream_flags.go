package main

import (
	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

const categoryStreams = "Streams"

// streamFlags are the limits of the streams, for every role that may make them.
func streamFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "partitions", Sources: env("partitions"), Category: categoryStreams, DefaultText: "what it has, 8 for a new one",
			Usage: "`N` partitions of TICKS, fixed when it is made"},
		&cli.IntFlag{Name: "replicas", Sources: env("replicas"), Category: categoryStreams, DefaultText: "what they have, 1 for new ones",
			Usage: "`N` copies of every stream and bucket: 1, or 3 or 5 on a cluster"},
		&cli.DurationFlag{Name: "ticks-max-age", Sources: env("ticks-max-age"), Category: categoryStreams, DefaultText: "what it has, 168h for a new one",
			Usage: "how long ticks are kept (`DURATION`)"},
		&cli.StringFlag{Name: "ticks-max-bytes", Sources: env("ticks-max-bytes"), Category: categoryStreams, DefaultText: "what it has; a new one 20GiB, with up no more than half of what the disk has free",
			Usage: "`SIZE` of TICKS at most"},
		&cli.DurationFlag{Name: "duplicate-window", Sources: env("duplicate-window"), Category: categoryStreams, DefaultText: "what it has, 30s for a new one",
			Usage: "how long JetStream remembers the message ids of ticks (`DURATION`)"},
	}
}

// streamConfigOf reads the stream flags.
func streamConfigOf(cmd *cli.Command) (stream.Config, error) {
	cfg := stream.Config{
		Partitions:      cmd.Int("partitions"),
		Replicas:        cmd.Int("replicas"),
		TicksMaxAge:     cmd.Duration("ticks-max-age"),
		DuplicateWindow: cmd.Duration("duplicate-window"),
	}
	var err error
	if cfg.TicksMaxBytes, err = sizeOf(cmd, "ticks-max-bytes"); err != nil {
		return stream.Config{}, err
	}
	if err := cfg.Validate(); err != nil {
		return stream.Config{}, explainSettings(cmd, err)
	}
	return cfg, nil
}

// sizeOf reads a size such as 20GiB; 0 where none is given.
func sizeOf(cmd *cli.Command, flag string) (int64, error) {
	text := cmd.String(flag)
	if text == "" {
		return 0, nil
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 || size > 1<<60 {
		return 0, flagErrorf(cmd, flag, "cannot be %q: give a size such as 512MiB or 20GiB", text)
	}
	return int64(size), nil //nolint:gosec // bounded just above
}
