package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

const (
	logText = "text"
	logJSON = "json"
)

func logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "log-level", Sources: env("log-level"), Value: "info",
			Usage: "least `LEVEL` that is logged: debug, info, warn or error",
			Validator: func(level string) error {
				if new(slog.LevelVar).UnmarshalText([]byte(level)) != nil {
					return errors.New("give debug, info, warn or error")
				}
				return nil
			},
		},
		&cli.StringFlag{
			Name: "log-format", Sources: env("log-format"), Value: logText,
			Usage:     "`FORMAT` of log lines on standard error: text (coloured on a terminal unless NO_COLOR is set) or json",
			Validator: oneOf(logText, logJSON),
		},
	}
}

// logger makes the command's logger as the log flags say.
func logger(cmd *cli.Command) *slog.Logger {
	var level slog.LevelVar
	if err := level.UnmarshalText([]byte(cmd.String("log-level"))); err != nil {
		level.Set(slog.LevelInfo) // the flag's validator has refused it before
	}
	w := cmd.Root().ErrWriter
	if cmd.String("log-format") == logJSON {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: &level, ReplaceAttr: plainErrors}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{
		Level: &level, TimeFormat: time.DateTime, NoColor: !coloured(w), ReplaceAttr: plainErrors,
	}))
}

// plain is an error in words for people, on one line: what the clients of NATS
// and Redis say of themselves is put as what it means here.
func plain(err error) string { return oneLine(clientWords.Replace(err.Error())) }

var clientWords = strings.NewReplacer(
	// The client's buffer for the time of a reconnect, which we do not use.
	nats.ErrReconnectBufExceeded.Error(), "not connected to NATS",
	nats.ErrNoServers.Error(), "no server answers",
	nats.ErrTimeout.Error(), "no answer in time",
	context.DeadlineExceeded.Error(), "no answer in time",
)

// plainErrors puts the errors of a log line as plain does.
func plainErrors(_ []string, attr slog.Attr) slog.Attr {
	if err, ok := attr.Value.Any().(error); ok {
		attr.Value = slog.StringValue(plain(err))
	}
	return attr
}

// terminal is whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// coloured is whether colours are welcome on w.
func coloured(w io.Writer) bool { return terminal(w) && os.Getenv("NO_COLOR") == "" }

// The colours of a terminal.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
)

// painter colours words for one writer, or leaves them as they are.
type painter struct{ on bool }

func (p painter) paint(colour, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}
