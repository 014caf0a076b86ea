package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/bridge/egress"
	"github.com/urfave/cli/v3"
)

func egressFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "egress-max-age", Sources: env("egress-max-age"), Category: categoryBridge, Value: 15 * time.Minute,
			Usage: "how old a result may be to be sent to AppV2; older ones are counted (`DURATION`)"},
		&cli.BoolFlag{Name: "pattern-events", Sources: env("pattern-events"), Category: categoryBridge,
			Usage: "send patterns to the channel of AppV2's first generation too"},
	}
}

// newEgress makes the egress of a bridge, with a connection of its own: the
// ticks' one must not wait behind results.
func (p *process) newEgress(cmd *cli.Command) (*egress.Egress, func(), error) {
	cfg := egress.Config{
		Instance: p.instance, Channels: p.channels,
		MaxAge: cmd.Duration("egress-max-age"), PatternEvents: cmd.Bool("pattern-events"),
	}
	if err := cfg.Validate(); err != nil {
		return nil, nil, explainSettings(cmd, err)
	}
	redisCfg := p.redisCfg
	redisCfg.NoRetries = true // a repeated round trip would send events twice
	client, err := connectRedis(redisCfg, "bridge-egress")
	if err != nil {
		return nil, nil, err
	}
	e, err := egress.New(cfg, client, p.nats, p.js, p.log)
	if err != nil {
		return nil, nil, fmt.Errorf("make the egress: %w", err)
	}
	return e, func() { _ = client.Close() }, nil // nothing is under way
}

// egressRole sends until ctx ends.
func egressRole(e *egress.Egress, done func()) role {
	return role{"egress", func(ctx context.Context) error {
		defer done()
		return e.Run(ctx)
	}}
}
