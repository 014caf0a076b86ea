package main

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"
)

// fence is a fenced block of the README.
type fence struct {
	section, language, text string
	line                    int
}

// fences are the blocks of the README, in order.
func fences(t *testing.T) []fence {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []fence
	var open *fence
	section := ""
	for i, line := range lines(string(text)) {
		mark, found := strings.CutPrefix(line, "```")
		switch {
		case found && open == nil:
			open = &fence{section, mark, "", i + 1}
		case found:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case strings.HasPrefix(line, "## "):
			section = line[3:]
		}
	}
	if open != nil || len(all) < 10 {
		t.Fatalf("%d blocks in the README, open is %v", len(all), open)
	}
	return all
}

var comment = regexp.MustCompile(`(^|\s)#\s.*$`)

// shellCommands are the commands of the README's sh blocks, a line that ends with
// \ joined with the next.
func shellCommands(t *testing.T) []fence {
	t.Helper()
	var commands []fence
	for _, block := range fences(t) {
		if block.language != "sh" {
			continue
		}
		joined := ""
		for i, line := range lines(block.text) {
			line, more := strings.CutSuffix(strings.TrimSpace(comment.ReplaceAllString(line, "")), `\`)
			if joined += line; !more && joined != "" {
				commands = append(commands, fence{block.section, "sh", joined, block.line + 1 + i})
				joined = ""
			}
		}
	}
	return commands
}

// A command of tickstream that the documentation names exists, with the flags
// that are given to it.
func TestReadmeNamesCommandsThatExist(t *testing.T) {
	seen := 0
	for _, file := range []string{"../../README.md", "../../deploy/cluster/README.md", "../../deploy/systemd/tickstream@.service"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		calls := regexp.MustCompile("(?:\\./cmd/|`|\\./|/|^|\\s)tickstream ((?:[a-z][a-z-]*|--?[a-z])[^`|;)\n]*)")
		for i, line := range lines(string(text)) {
			for _, call := range calls.FindAllStringSubmatch(comment.ReplaceAllString(line, ""), -1) {
				if words := strings.Fields(call[1]); expectCommand(t, file, i+1, words) {
					seen++
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("found %d commands, want more", seen)
	}
}

// expectCommand is false for prose about tickstream.
func expectCommand(t *testing.T, file string, line int, words []string) bool {
	t.Helper()
	cmd := newRoot(nil, io.Discard, io.Discard)
	flags := slices.Clone(cmd.Flags)
	for _, word := range words {
		if child := cmd.Command(word); child != nil {
			cmd, flags = child, append(flags, child.Flags...)
			continue
		}
		if !strings.HasPrefix(word, "--") || word == "--help" || cmd.Name == "tickstream" {
			continue
		}
		name, _, _ := strings.Cut(strings.Trim(word, "-[]"), "=")
		if !slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
			t.Errorf("%s:%d: %s has no flag --%s", file, line, cmd.Name, name)
		}
	}
	return cmd.Name != "tickstream"
}
