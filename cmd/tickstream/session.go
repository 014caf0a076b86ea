package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

const sessionDescription = `A session is one run of the market day. By default the calendar of the New York
exchange starts and stops it; an operator may do so at any time:

  tickstream session show
  tickstream session stop
  tickstream session start`

const controlTimeout = 5 * time.Second

func sessionCommand() *cli.Command {
	control := func(name, subject, done, usage string) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, Flags: natsFlags(defaultNATSURL),
			Action: func(ctx context.Context, cmd *cli.Command) error { return controlSession(ctx, cmd, subject, done) },
		}
	}
	return &cli.Command{
		Name: "session", Category: categoryLook,
		Usage:       "Start, stop or show the session",
		Description: sessionDescription,
		Commands: []*cli.Command{
			control("start", stream.ControlSessionStart, "started", "Start a session now"),
			control("stop", stream.ControlSessionStop, "stopped", "Stop the session that runs, until the next day or the next start"),
			{
				Name: "show", Usage: "Show the session that runs, or how the last one ended",
				Flags: append([]cli.Flag{
					&cli.BoolFlag{Name: "json", Sources: env("session", "json"), Usage: "print the event as one JSON object"},
				}, natsFlags(defaultNATSURL)...),
				Action: showSession,
			},
		},
	}
}

// controlSession asks the health process that leads, and prints its answer.
func controlSession(ctx context.Context, cmd *cli.Command, subject, done string) error {
	nc, err := dialNATS(natsConfigOf(cmd), "session")
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	var answer session.Record
	err = service.Ask(ctx, nc, subject, nil, &answer)
	refusal, refused := errors.AsType[*service.Refusal](err)
	switch {
	case refused:
		return fmt.Errorf("the health process refused: %w", refusal)
	case errors.Is(err, nats.ErrNoResponders):
		return errors.New("no health process takes session commands: is tickstream health running? tickstream doctor tells")
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the health process has not answered within %v: tickstream doctor tells why", controlTimeout)
	case err != nil:
		return err
	}
	if _, err := fmt.Fprintf(cmd.Root().Writer, "%s session %s\n", done, answer.SessionID); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

func showSession(ctx context.Context, cmd *cli.Command) error {
	nc, err := dialNATS(natsConfigOf(cmd), "session")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("open jetstream: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	state, err := bus.Latest(ctx, js)
	if err != nil {
		return err
	}
	current := state.Session()
	if current == nil {
		return errors.New("there has been no session yet")
	}
	return newPrinter(cmd.Root().Writer, cmd.Bool("json")).print(current.Payload)
}
