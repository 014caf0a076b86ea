package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

// natsTargetFlags are --to-nats and its credentials, which go by the same rules
// as those of [natsFlags].
func natsTargetFlags() []cli.Flag {
	file := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Sources: env("replay", name), Usage: usage, TakesFile: true, Category: categoryConnection}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name: "to-nats", Sources: secretFromEnv("TICKSTREAM_REPLAY_TO_NATS"), Category: categoryConnection,
			Usage: "copy ticks and clock marks into TICKS of the system at this NATS `URL`",
		},
		file("to-nats-creds", "credentials `FILE` for --to-nats"),
		file("to-nats-nkey", "`FILE` with an nkey seed for --to-nats"),
		file("to-nats-ca", "PEM `FILE` of the authority that the certificate of --to-nats is checked with"),
		file("to-nats-cert", "PEM `FILE` of the client certificate for --to-nats"),
		file("to-nats-key", "PEM `FILE` of the client certificate's key"),
		&cli.StringFlag{
			Name: "to-nats-inbox-prefix", Sources: env("replay", "to-nats-inbox-prefix"), Category: categoryConnection,
			Usage: "`SUBJECT` prefix of replies from --to-nats", DefaultText: "_INBOX.<user>",
		},
	}
}

func natsTargetOf(cmd *cli.Command) natsConfig {
	return natsConfig{
		URL: cmd.String("to-nats"), Creds: cmd.String("to-nats-creds"), NKey: cmd.String("to-nats-nkey"),
		InboxPrefix: cmd.String("to-nats-inbox-prefix"), Target: true,
		TLS: tlsFiles{CA: cmd.String("to-nats-ca"), Cert: cmd.String("to-nats-cert"), Key: cmd.String("to-nats-key")},
	}
}

// copier makes the sink that copies to another system.
func (t replayTarget) copier(ctx context.Context, cmd *cli.Command, js jetstream.JetStream) (replay.Sink, error) {
	other, err := jetstream.New(t.nats)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	copier, err := replay.NewCopier(ctx, replay.CopierConfig{
		Append: cmd.Bool("append"), Partitions: cmd.Int("to-partitions"), Replicas: cmd.Int("to-replicas"),
	}, js, other, logger(cmd))
	at := redact(cmd.String("to-nats"))
	switch {
	case errors.Is(err, replay.ErrSameSystem):
		return nil, flagErrorf(cmd, "to-nats", "is %s: %v; give another system's", at, err)
	case errors.Is(err, replay.ErrTargetLive):
		return nil, flagErrorf(cmd, "to-nats", "is %s: %v, whose clock marks would make these ticks too late; stop it and wait %v, or give another system's", at, err, stream.ComponentTTL)
	case errors.Is(err, replay.ErrTargetHolds):
		return nil, flagErrorf(cmd, "to-nats", "is %s: %v; give an empty system's, or --append to go on behind that", at, err)
	case errors.Is(err, stream.ErrConflict):
		return nil, flagErrorf(cmd, "to-nats", "is %s: %v", at, err)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, reportReplay(io.Discard, "", replay.Progress{}, 0, err)
	case err != nil:
		return nil, err
	}
	return copier, nil
}

// reportCopied says that nothing is left to copy, which is no failure.
func reportCopied(w io.Writer, err error) error {
	if !errors.Is(err, replay.ErrCopied) {
		return err
	}
	_, _ = fmt.Fprintf(w, "nothing to copy: %v\n", err)
	return nil
}
