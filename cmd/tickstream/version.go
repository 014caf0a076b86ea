package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"
)

// Set by the linker for release builds: -X main.version=v1.2.3 -X main.commit=…
var (
	version string
	commit  string
)

// build is what this binary was made from.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"` // the checkout had uncommitted changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func currentBuild() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "(devel)" {
			b.Version = cmp.Or(b.Version, info.Main.Version)
		}
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				b.Commit = cmp.Or(b.Commit, setting.Value)
			case "vcs.modified":
				b.Modified = setting.Value == "true"
			}
		}
	}
	b.Version, b.Commit = cmp.Or(b.Version, "devel"), cmp.Or(b.Commit, "unknown")
	return b
}

func (b build) String() string {
	modified := ""
	if b.Modified {
		modified = ", modified"
	}
	return fmt.Sprintf("tickstream %s (commit %s%s) %s %s", b.Version, b.Commit, modified, b.Go, b.Platform)
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Category: categoryLook,
		Usage: "Print the version, the commit and the Go version",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Sources: env("version", "json"), Usage: "print one JSON object"},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			b := currentBuild()
			if cmd.Bool("json") {
				return json.NewEncoder(cmd.Root().Writer).Encode(b)
			}
			_, err := fmt.Fprintln(cmd.Root().Writer, b)
			return err
		},
	}
}
