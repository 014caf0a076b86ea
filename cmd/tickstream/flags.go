package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/urfave/cli/v3"
)

// envSource reads a setting from the environment. An empty variable counts as
// not set, because compose files pass on variables that nobody has set.
type envSource struct{ key string }

var _ cli.EnvValueSource = envSource{}

func (e envSource) Lookup() (string, bool) {
	value := strings.TrimSpace(os.Getenv(e.key))
	return value, value != ""
}

func (e envSource) IsFromEnv() bool  { return true }
func (e envSource) Key() string      { return e.key }
func (e envSource) String() string   { return "environment variable " + e.key }
func (e envSource) GoString() string { return fmt.Sprintf("envSource{%q}", e.key) }

// fromEnv takes a flag's value from the variable of that name.
func fromEnv(key string) cli.ValueSourceChain {
	return cli.NewValueSourceChain(envSource{key})
}

// env is the variable of a flag that several commands share: TICKSTREAM_<FLAG>.
// A flag of one command only goes by TICKSTREAM_<COMMAND>_<FLAG>, so that what
// is exported for one command cannot change another: env("sim", "rate").
func env(words ...string) cli.ValueSourceChain {
	key := "tickstream_" + strings.Join(words, "_")
	return fromEnv(strings.ToUpper(strings.ReplaceAll(key, "-", "_")))
}

const categoryConnection = "Connection"

// healthIntervalFlag is --health-interval, the time between two health events.
func healthIntervalFlag(category string) cli.Flag {
	return &cli.DurationFlag{
		Name: "health-interval", Sources: env("health-interval"), Value: 5 * time.Second, Category: category,
		Usage: "`TIME` between two health events, 1s to 60s",
		Validator: func(d time.Duration) error {
			if d < time.Second || d > time.Minute {
				return errors.New("give 1s to 60s")
			}
			return nil
		},
	}
}

// channelsOf are the Redis channels below --redis-namespace.
func channelsOf(cmd *cli.Command) event.Channels {
	return event.NewChannels(cmd.String("redis-namespace"))
}
