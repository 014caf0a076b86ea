package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/schollz/progressbar/v3"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

const replayDescription = `Reads ticks out of JetStream again and hands them on: to standard output as one
JSON object a line (the default), to a Redis channel, to a NATS subject, or with
the clock marks into the TICKS of another system. Payloads are the bytes that
once came in.

The last five minutes of two symbols, into a file:
  tickstream replay --from -5m --symbol AAPL --symbol BRK.B > ticks.ndjson

The day so far, ten times as fast, to a channel of your own:
  tickstream replay --from 2025-10-07T13:30:00Z --speed 10 --to-redis tickstock:replay:ticks

Everything, as fast as possible, to a subject a symbol:
  tickstream replay --to-subject 'replay.{symbol}' --speed max

A recorded day into a system of its own, whose pipeline makes the same bars:
  tickstream replay --from 2025-10-07T13:30:00Z --to-nats nats://other:4222

Such a copy makes the streams that are missing there. It is refused for the same
system, while a bridge runs there (its clock marks would make the ticks too
late), and where TICKS holds something, unless --append is given: then what
follows the end of an earlier copy is copied, and everything behind whatever else
is there. Everything is stored once, however often it is interrupted; somebody
else who stores there ends it. With other partitions than here each gets the
least of all partitions' clock marks.

Times are those of storage in JetStream. An interrupted replay prints the
--from-seq to go on with. A range without a tick, for whatever reason, gives the
exit code 4. A channel or subject that would store the ticks a second time, or
that carries something else to AppV2, is refused.`

func replayCommand() *cli.Command {
	moment := "`TIME`: RFC 3339 (2025-10-07T13:30:00Z), or relative to now (-5m, -1h30m)"
	flags := append([]cli.Flag{
		&cli.StringFlag{Name: "from", Sources: env("replay", "from"), DefaultText: "the oldest tick", Usage: "first " + moment},
		&cli.StringFlag{Name: "to", Sources: env("replay", "to"), DefaultText: "the newest tick", Usage: "last " + moment},
		&cli.Uint64Flag{Name: "from-seq", Sources: env("replay", "from-seq"), DefaultText: "the oldest tick", Usage: "first `SEQUENCE` in TICKS"},
		&cli.Uint64Flag{Name: "to-seq", Sources: env("replay", "to-seq"), DefaultText: "the newest tick", Usage: "last `SEQUENCE` in TICKS"},
		&cli.StringSliceFlag{Name: "symbol", Sources: env("replay", "symbol"), DefaultText: "all", Usage: "only this `SYMBOL`; may be given several times"},
		speedFlag("replay", "max"),
		&cli.StringFlag{Name: "to-redis", Sources: env("replay", "to-redis"), Usage: "publish on this Redis `CHANNEL`"},
		&cli.StringFlag{Name: "to-subject", Sources: env("replay", "to-subject"), Usage: "publish on this NATS `SUBJECT`, in which " + replay.SymbolPlaceholder + " stands for the symbol"},
		&cli.BoolFlag{Name: "force-appv2-channel", Sources: env("replay", "force-appv2-channel"), Usage: "publish on a Redis channel of AppV2 all the same; where a bridge of this system reads stays refused"},
		&cli.BoolFlag{Name: "append", Sources: env("replay", "append"), Usage: "copy with --to-nats into a TICKS that holds something; a copy that was interrupted goes on"},
		&cli.IntFlag{Name: "to-partitions", Sources: env("replay", "to-partitions"), DefaultText: "what it has, as here for a new one", Usage: "`N` partitions of the TICKS of --to-nats"},
		&cli.IntFlag{Name: "to-replicas", Sources: env("replay", "to-replicas"), DefaultText: "what they have, 1 for new ones", Usage: "`N` copies of the streams of --to-nats: 1, 3 or 5"},
		&cli.BoolFlag{Name: "quiet", Sources: env("replay", "quiet"), Usage: "no progress bar"},
	}, natsFlags(defaultNATSURL)...)
	flags = append(flags, natsTargetFlags()...)
	return &cli.Command{
		Name: "replay", Category: categoryFeed,
		Usage:       "Hand stored ticks on again: to a file, a Redis channel, a subject or another system",
		Description: replayDescription,
		Flags:       append(flags, redisFlags(defaultRedisURL)...),
		Action:      replayTicks,
	}
}

func replayTicks(ctx context.Context, cmd *cli.Command) error {
	cfg, err := replayConfigOf(cmd, time.Now())
	if err != nil {
		return err
	}
	target, err := replayTargetOf(cmd)
	if err != nil {
		return err
	}
	defer target.close()
	nc, err := dialNATS(natsConfigOf(cmd), "replay")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	sink, err := target.open(ctx, cmd, js)
	if err != nil {
		return err
	}
	stderr := cmd.Root().ErrWriter
	var behind uint64
	if copier, ok := sink.(*replay.Copier); ok {
		if cfg, behind, err = copier.Behind(ctx, cfg); err != nil {
			return reportCopied(stderr, err)
		}
		if behind > 0 {
			_, _ = fmt.Fprintf(stderr, "going on at sequence %d, where the copy in the target ends\n", behind)
		}
	}
	r, err := replay.New(cfg, js, sink, logger(cmd))
	if err != nil {
		return explainSettings(cmd, err)
	}
	started := time.Now()
	stopBar := showProgress(cmd, r)
	err = r.Run(ctx)
	stopBar()
	if behind > 0 && errors.Is(err, replay.ErrEmpty) {
		return reportCopied(stderr, replay.ErrCopied)
	}
	goOn := "--from-seq %d"
	if target.nats != nil {
		goOn = "the same range and --append"
	}
	return reportReplay(stderr, goOn, r.Progress(), time.Since(started), err)
}

func replayConfigOf(cmd *cli.Command, now time.Time) (replay.Config, error) {
	cfg := replay.Config{FromSeq: cmd.Uint64("from-seq"), ToSeq: cmd.Uint64("to-seq"), Symbols: slices.Compact(slices.Sorted(slices.Values(cmd.StringSlice("symbol"))))}
	var err error
	if cfg.Speed, err = speedOf(cmd); err != nil {
		return cfg, err
	}
	if cfg.From, err = momentOf(cmd, "from", now); err != nil {
		return cfg, err
	}
	if cfg.To, err = momentOf(cmd, "to", now); err != nil {
		return cfg, err
	}
	if cmd.IsSet("from-seq") && cfg.FromSeq == 0 || cmd.IsSet("to-seq") && cfg.ToSeq == 0 {
		return cfg, usageErrorf("--from-seq and --to-seq begin with 1: the first tick that was ever stored")
	}
	if err := cfg.Validate(); errors.Is(err, replay.ErrEmpty) {
		return cfg, &exitError{code: exitEmpty, err: err}
	} else if err != nil {
		return cfg, explainSettings(cmd, err)
	}
	return cfg, nil
}

// momentOf reads a flag that holds a time; zero if it is not given.
func momentOf(cmd *cli.Command, flag string, now time.Time) (time.Time, error) {
	text := cmd.String(flag)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := replay.ParseMoment(text, now)
	if err != nil {
		return time.Time{}, flagErrorf(cmd, flag, "is %q: give a time such as 2025-10-07T13:30:00Z, or one relative to now such as -5m", text)
	}
	return at, nil
}

// showProgress draws a bar on a terminal until the returned function is called.
func showProgress(cmd *cli.Command, r *replay.Replay) func() {
	stderr := cmd.Root().ErrWriter
	toTerminal := cmd.String("to-redis") == "" && cmd.String("to-subject") == "" && cmd.String("to-nats") == "" && terminal(cmd.Root().Writer)
	if cmd.Bool("quiet") || !terminal(stderr) || toTerminal {
		return func() {}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(stderr), progressbar.OptionSetDescription("replay"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("seq"),
		progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true))
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends when the returned function closes done
		defer close(stopped)
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				_ = bar.Clear() // the bar is decoration
				return
			case <-ticker.C:
				if p := r.Progress(); p.First != 0 {
					bar.ChangeMax64(int64(p.Last - p.First + 1))
					_ = bar.Set64(int64(p.Position - p.First + 1))
				}
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// reportReplay prints the counts, and how to go on if that is needed.
// with goOn, which may have a place for the next sequence.
func reportReplay(w io.Writer, goOn string, p replay.Progress, took time.Duration, err error) error {
	if errors.Is(err, replay.ErrEmpty) {
		return &exitError{code: exitEmpty, err: err}
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = fmt.Errorf("stream %s is not there: no tick was ever stored on this NATS, or another one is meant; check --nats (NATS_URL)", stream.Ticks)
	}
	if err != nil && p.Ticks+p.Marks == 0 {
		return err
	}
	rate := float64(p.Ticks) / max(took.Seconds(), 1e-9)
	marks := ""
	if p.Marks > 0 {
		marks = fmt.Sprintf(" and %d clock marks", p.Marks)
	}
	_, _ = fmt.Fprintf(w, "replayed %d ticks%s (%d bytes) of the sequences %d to %d in %.1f s (%.0f/s)\n", p.Ticks, marks, p.Bytes, p.First, p.Position, took.Seconds(), rate)
	if p.Done {
		return nil
	}
	if p.Next > 0 {
		if strings.Contains(goOn, "%d") {
			goOn = fmt.Sprintf(goOn, p.Next)
		}
		_, _ = fmt.Fprintf(w, "not complete: go on with %s\n", goOn)
	}
	if err != nil {
		return err
	}
	return &exitError{code: exitInterrupted}
}
