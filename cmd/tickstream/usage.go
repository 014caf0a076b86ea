package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v3"
)

var (
	invalidFlag  = regexp.MustCompile(`^invalid value (".*") for flag -+([\w-]+): (?s:(.*))$`)
	invalidEnv   = regexp.MustCompile(`^could not parse (".*") as .* from environment variable (\w+) for flag ([\w-]+): (?s:(.*))$`)
	unknownFlag  = regexp.MustCompile(`^flag provided but not defined: -(.+)$`)
	missingValue = regexp.MustCompile(`^flag needs an argument: -*([\w-]+)$`)
	unknownTopic = regexp.MustCompile(`^No help topic for '(.*)'`)
)

// explainUsage rewrites the parser's error as one sentence that names the flag,
// its environment variable and where to read on.
func explainUsage(cmd *cli.Command, err error) error {
	if already, ok := errors.AsType[*exitError](err); ok {
		return already
	}
	message := err.Error()
	if m := invalidFlag.FindStringSubmatch(message); m != nil {
		message = fmt.Sprintf("%s cannot be %s: %s", flagName(cmd, m[2]), m[1], wanted(cmd, m[2], m[3]))
	} else if m := invalidEnv.FindStringSubmatch(message); m != nil {
		message = fmt.Sprintf("%s (--%s) cannot be %s: %s", m[2], m[3], m[1], wanted(cmd, m[3], m[4]))
	} else if m := unknownFlag.FindStringSubmatch(message); m != nil {
		message = explainUnknownFlag(cmd, m[1])
	} else if m := missingValue.FindStringSubmatch(message); m != nil {
		message = flagName(cmd, m[1]) + " needs a value"
	} else if m := unknownTopic.FindStringSubmatch(message); m != nil {
		message = explainUnknownCommand(cmd, m[1])
	}
	return usageErrorf("%s; see %s --help", oneLine(message), cmd.FullName())
}

func explainUnknownFlag(cmd *cli.Command, given string) string {
	name := strings.TrimLeft(given, "-")
	if len(name) == 1 {
		return "unknown flag -" + name
	}
	var names []string
	for _, f := range allFlags(cmd) {
		names = append(names, f.Names()[0])
	}
	similar := closest(name, names)
	switch {
	case similar == name:
		return fmt.Sprintf("cannot read --%s: write --%s", given, name)
	case similar != "":
		return fmt.Sprintf("unknown flag --%s, did you mean --%s?", name, similar)
	}
	return "unknown flag --" + name
}

func explainUnknownCommand(cmd *cli.Command, word string) string {
	var names []string
	for _, c := range cmd.Commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	message := fmt.Sprintf("unknown command %q", word)
	if similar := closest(word, names); similar != "" {
		message += ", did you mean " + similar + "?"
	}
	return message
}

// wanted is what to give for a flag whose value said is not: a validator's own
// words, or what a value of the flag's type looks like.
func wanted(cmd *cli.Command, flag, said string) string {
	if strings.HasPrefix(said, "give ") || strings.HasPrefix(said, "leave ") {
		return said
	}
	for _, f := range allFlags(cmd) {
		if f.Names()[0] != flag {
			continue
		}
		switch f.(type) {
		case *cli.DurationFlag:
			return "give a time such as 500ms, 5s or 1h30m"
		case *cli.IntFlag, *cli.Int64Flag:
			return "give a whole number"
		case *cli.Uint64Flag:
			return "give a whole number that is not negative"
		case *cli.FloatFlag:
			return "give a number"
		case *cli.BoolFlag:
			return "give true or false"
		}
	}
	return said
}

// commandOf is the command that args name, for an error of the parser that does
// not say where it came from.
func commandOf(root *cli.Command, args []string) *cli.Command {
	cmd := root
	for _, word := range args[1:] {
		if word == "--" {
			break
		}
		for _, child := range cmd.Commands {
			if child.Name == word {
				cmd = child
				break
			}
		}
	}
	return cmd
}

func allFlags(cmd *cli.Command) []cli.Flag {
	var flags []cli.Flag
	for _, c := range cmd.Lineage() {
		flags = append(flags, c.Flags...)
	}
	return flags
}

// oneLine makes one line of a message that has several.
func oneLine(message string) string {
	return strings.Join(strings.FieldsFunc(message, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
