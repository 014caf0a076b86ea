package main

import (
	"github.com/urfave/cli/v3"
)

const benchDescription = `Measures this machine and this build, with servers of its own.

Whether anything is lost or wrong while one part after the other is broken:
  tickstream bench soak --short`

// benchCommand groups what measures, each in a file of its own.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Category: categoryLook,
		Usage:       "Measure and prove: everything under load and faults",
		Description: benchDescription,
		Commands: []*cli.Command{
			benchSoakCommand(),
			benchNATSCommand(), benchRedisCommand(),
		},
	}
}
