package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"
)

const configDescription = `Checks what a role would be started with, without connecting to anything, and
prints each setting that is not the default, with where it comes from:

  tickstream config check bridge
  tickstream config check --all health --health-interval 2s

Passwords are not printed. Exit code 2: a setting cannot be used.`

// configCommand checks the settings of each role by the role's own flags.
func configCommand() *cli.Command {
	roles := []*cli.Command{upCommand(), bridgeCommand(), pipelineCommand(), healthCommand(), simCommand()}
	for _, role := range roles {
		role.Usage, role.Description, role.Category = "Check the settings of "+role.Name, "", ""
		role.Action = printSettings
	}
	return &cli.Command{
		Name: "config", Category: categoryLook, Usage: "Check and show settings",
		Commands: []*cli.Command{{
			Name: "check", Usage: "Check the settings of a role",
			Description: configDescription,
			Flags:       []cli.Flag{&cli.BoolFlag{Name: "all", Sources: env("config", "all"), Usage: "print the defaults too"}},
			Commands:    roles,
		}},
	}
}

// printSettings runs once all was found usable.
func printSettings(_ context.Context, cmd *cli.Command) error {
	table := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
	for _, f := range cmd.Flags {
		name := f.Names()[0]
		value, from := setting(cmd, f)
		if name == "help" || from == fromDefault && !cmd.Bool("all") {
			continue
		}
		_, _ = fmt.Fprintf(table, "--%s\t%s\t%s\n", name, value, from) // Flush tells
	}
	_, _ = fmt.Fprintf(table, "the settings of %s can be used\n", cmd.Name)
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the settings: %w", err)
	}
	return nil
}

const fromDefault = "default"

// setting is a flag's value, without a password, and where it comes from.
func setting(cmd *cli.Command, f cli.Flag) (value, from string) {
	value = withoutPassword(f.Names()[0], fmt.Sprint(cmd.Value(f.Names()[0])))
	documented, ok := f.(cli.DocGenerationFlag)
	if !ok || !cmd.IsSet(f.Names()[0]) {
		if ok && documented.GetDefaultText() != "" {
			value = documented.GetDefaultText()
		}
		return cmp.Or(value, "-"), fromDefault
	}
	from = "command line"
	for _, name := range documented.GetEnvVars() {
		if os.Getenv(name) != "" && !isGiven(cmd.Root(), f.Names()) {
			from = name
		}
	}
	return value, from
}

// isGiven tells whether a flag is on the command line.
func isGiven(root *cli.Command, names []string) bool {
	arguments, _ := root.Metadata[argsKey].([]string)
	return slices.ContainsFunc(arguments, func(argument string) bool {
		word, _, _ := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		return strings.HasPrefix(argument, "-") && slices.Contains(names, word)
	})
}

var keywordPassword = regexp.MustCompile(`(?i)(password\s*=\s*)('[^']*'|\S+)`)

// withoutPassword is a flag's value as it may be shown: a URL and PostgreSQL's
// list of keywords without the password, and nothing of what is all secret.
func withoutPassword(flag, value string) string {
	_, secret := secretFlags[flag]
	switch {
	case strings.Contains(value, "://"):
		return redact(value)
	case keywordPassword.MatchString(value):
		return keywordPassword.ReplaceAllString(value, "${1}xxxxx")
	case secret && value != "":
		return "xxxxx"
	}
	return value
}
