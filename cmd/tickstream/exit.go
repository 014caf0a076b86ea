package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// The exit codes, as exitCodesHelp tells them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitUnwell      = 3
	exitEmpty       = 4
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
  0    done, or stopped cleanly by Ctrl-C or SIGTERM
  1    failed; the last line on standard error says why
  2    wrong usage or configuration; nothing was started
  3    doctor found something broken
  4    replay found no tick in the range
  130  interrupted before the work was complete, or ended by a second Ctrl-C`

// exitError carries the exit code of its cause. A nil cause means that all has
// been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageErrorf is a mistake of the user, found before anything was started.
func usageErrorf(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// flagErrorf is a setting that cannot be used: the sentence begins with the
// flag and its environment variable. Never put a secret into it.
func flagErrorf(cmd *cli.Command, flag, format string, args ...any) error {
	return usageErrorf("%s %s", flagName(cmd, flag), fmt.Sprintf(format, args...))
}

// flagName is a flag with its environment variable: --nats (NATS_URL).
func flagName(cmd *cli.Command, name string) string {
	for _, c := range cmd.Lineage() {
		for _, f := range c.Flags {
			documented, ok := f.(cli.DocGenerationFlag)
			if !ok || f.Names()[0] != name {
				continue
			}
			if env := documented.GetEnvVars(); len(env) > 0 {
				return fmt.Sprintf("--%s (%s)", name, strings.Join(env, ", "))
			}
		}
	}
	return "--" + name
}

// isUsage finds the usage error in err.
func isUsage(err error) (*exitError, bool) {
	exit, ok := errors.AsType[*exitError](err)
	return exit, ok && exit.code == exitUsage
}
