package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

const rootDescription = `Ticks come in from Redis, are durable in JetStream, and health goes out on both.

See it run, with nothing installed:
  tickstream up --sim

Find out what is wrong:
  tickstream doctor

Every flag has an environment variable, named in its help. Connections have the
usual ones: NATS_URL, REDIS_URL, DATABASE_URL, or NATS_URL_FILE and so on, which
name a file that holds the value. A flag wins over its variable; an empty variable
counts as not set.

` + exitCodesHelp

// The headings that commands are listed under.
const (
	categoryRun  = "Run"
	categoryLook = "Look"
	categoryFeed = "Feed"
)

// commands are all of tickstream's, each by its own file.
func commands() []*cli.Command {
	return []*cli.Command{
		upCommand(),
		bridgeCommand(),
		pipelineCommand(),
		healthCommand(),
		sessionCommand(),
		watchCommand(),
		doctorCommand(),
		benchCommand(),
		simCommand(),
		replayCommand(),
		certificatesCommand(),
		configCommand(),
		versionCommand(),
		manCommand(),
	}
}

// newRoot makes the command tree. Flags hold what was parsed, so each run needs
// a tree of its own.
func newRoot(stdin io.Reader, stdout, stderr io.Writer) *cli.Command {
	root := &cli.Command{
		Name:                  "tickstream",
		Usage:                 "market ticks from Redis into JetStream, and the truth about them on both",
		Description:           rootDescription,
		EnableShellCompletion: true,
		Reader:                stdin,
		Writer:                stdout,
		ErrWriter:             stderr,
		Version:               strings.TrimPrefix(currentBuild().String(), "tickstream "), // the flag adds it
		Flags:                 logFlags(),
		Commands:              commands(),
		ArgValidator:          refuseArguments,
		// The default prints and exits the process; run does both.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden = false
			c.Usage = "Print a completion script for bash, zsh, fish or pwsh"
		},
	}
	onUsageError := func(_ context.Context, cmd *cli.Command, err error, _ bool) error {
		return explainUsage(cmd, err)
	}
	var prepare func(*cli.Command)
	prepare = func(cmd *cli.Command) {
		cmd.OnUsageError = onUsageError
		guardFlags(cmd)
		if cmd.Action != nil {
			cmd.Action = checked(cmd.Action)
		}
		for _, child := range cmd.Commands {
			prepare(child)
		}
	}
	prepare(root)
	return root
}

// run runs one command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(stdin, stdout, stderr)
	// Before runs once parsing is over: an error without it is one of usage.
	var parsed *cli.Command
	root.Before = func(ctx context.Context, cmd *cli.Command) (context.Context, error) {
		parsed = cmd
		return ctx, nil
	}
	root.Metadata = map[string]any{argsKey: args}
	err := root.Run(ctx, args)
	if err == nil {
		return exitOK
	}
	if parsed == nil || unknownTopic.MatchString(err.Error()) {
		err = explainUsage(commandOf(root, args), err)
	}
	code := exitFailure
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
		if exit.err == nil {
			return code
		}
	}
	_, _ = fmt.Fprintf(stderr, "tickstream: %s\n", plain(err)) // nobody to tell if this fails
	return code
}

// refuseArguments turns a mistyped command or a stray word into an error
// instead of ignoring it. A command that takes arguments says so in ArgsUsage.
func refuseArguments(_ context.Context, cmd *cli.Command) error {
	if !cmd.Args().Present() || cmd.ArgsUsage != "" || len(cmd.Arguments) > 0 {
		return nil
	}
	word := cmd.Args().First()
	// Every command has a help command below it.
	if !slices.ContainsFunc(cmd.Commands, func(c *cli.Command) bool { return !c.Hidden && c.Name != "help" }) {
		return usageErrorf("%s takes no argument %q; see %s --help", strings.TrimPrefix(cmd.FullName(), "tickstream "), word, cmd.FullName())
	}
	return usageErrorf("%s; see %s --help", explainUnknownCommand(cmd, word), cmd.FullName())
}
