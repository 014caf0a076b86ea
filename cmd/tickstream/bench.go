package main

import (
	"github.com/urfave/cli/v3"
)

const benchDescription = `Measures this machine and this build, with servers of its own.

How fast it is, each figure beside a ceiling that is measured in turn with it,
and the targets that it meets or misses:
  tickstream bench all

One of these, smaller, with the numbers of every round:
  tickstream bench ingress --ticks 100000 --rounds 1 --json

Exit code 3 says that something was lost or could not be measured. A target that
is missed is a verdict and no failure.

Whether anything is lost or wrong while one part after the other is broken:
  tickstream bench soak --short`

// benchCommand groups what measures, each in a file of its own.
func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Category: categoryLook,
		Usage:       "Measure and prove: everything under load and faults",
		Description: benchDescription,
		Commands: append(benchTrialCommands(),
			benchSoakCommand(),
			benchNATSCommand(), benchRedisCommand(),
			benchLoadCommand(), benchNaiveCommand(), benchConsumeCommand(),
		),
	}
}
