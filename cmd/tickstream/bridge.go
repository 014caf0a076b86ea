package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"
)

const bridgeDescription = `Reads ticks from Redis and stores each in the TICKS stream exactly once, in the
order of the source. What is no tick goes to REJECTS with its reason. Starts
before or after Redis and NATS, and reconnects for ever; what JetStream does not
take meanwhile waits in memory and on disk. Of several on one source one stores;
the others hear the same, stand by, and take over when it stops.`

const categoryBridge = "Bridge"

func bridgeCommand() *cli.Command {
	return &cli.Command{
		Name: "bridge", Category: categoryRun, Usage: "Run the bridge: ticks from Redis into JetStream",
		Description: bridgeDescription,
		Flags:       flags(natsFlags(defaultNATSURL), redisFlags(defaultRedisURL), bridgeFlags(30*time.Second), spoolFlags(), egressFlags(), streamFlags(), roleHTTPFlags("bridge", "127.0.0.1:8081", categoryBridge)),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			p, err := newProcess(cmd, presence.RoleBridge)
			if err != nil {
				return err
			}
			defer p.close()
			roles, err := p.bridgeRoles(ctx, cmd)
			if err != nil {
				return err
			}
			server, err := p.roleServer(cmd)
			if err != nil {
				return err
			}
			return p.run(ctx, append(roles, server...))
		},
	}
}

func bridgeFlags(drain time.Duration) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "source", Sources: env("source"), Category: categoryBridge, Value: string(bridge.PubSub),
			Usage: "`KIND` of source: pubsub (a channel, as AppV2 publishes) or stream (a Redis stream, which loses nothing while the bridge is away)"},
		&cli.StringFlag{Name: "channel", Sources: env("channel"), Category: categoryBridge, DefaultText: "the namespace's market:ticks",
			Usage: "`NAME` of the Redis channel or stream with ticks"},
		&cli.StringFlag{Name: "group", Sources: env("group"), Category: categoryBridge, Value: "tickstream",
			Usage: "consumer group `NAME` of a Redis stream"},
		&cli.StringFlag{Name: "consumer", Sources: env("consumer"), Category: categoryBridge, Value: "bridge",
			Usage: "this bridge's `NAME` in the consumer group"},
		&cli.StringFlag{Name: "field", Sources: env("field"), Category: categoryBridge, Value: "data",
			Usage: "`FIELD` of a Redis stream's entry that holds the tick"},
		&cli.StringFlag{Name: "queue-bytes", Sources: env("queue-bytes"), Category: categoryBridge, Value: "512MiB",
			Usage: "`SIZE` of memory for what was read and awaits JetStream, half of it for bytes fresh off a channel's socket; beyond it the oldest ticks are shed and counted"},
		&cli.StringFlag{Name: "durability", Sources: env("durability"), Category: categoryBridge, Value: string(bridge.ProcessSafe),
			Usage: "`PROMISE` of an acknowledged tick: process-safe, or power-safe for a server with sync_interval: always"},
		latenessFlag(),
		&cli.DurationFlag{Name: "max-future", Sources: env("max-future"), Category: categoryBridge, Value: time.Minute,
			Usage: "how far ahead of the clock a tick may be (`DURATION`)"},
		&cli.DurationFlag{Name: "drain-timeout", Sources: env("drain-timeout"), Category: categoryBridge, Value: drain,
			Usage: "how long a stop waits for JetStream to take what was read (`DURATION`)"},
	}
}

// bridgeRoles are the ingress, the egress, their services and their presence.
func (p *process) bridgeRoles(ctx context.Context, cmd *cli.Command) ([]role, error) {
	streams, err := streamConfigOf(cmd)
	if err != nil {
		return nil, err
	}
	return p.bridgeRolesWith(ctx, cmd, streams)
}

func (p *process) bridgeRolesWith(ctx context.Context, cmd *cli.Command, streams stream.Config) ([]role, error) {
	cfg, err := p.ingressConfig(ctx, cmd)
	if err != nil {
		return nil, err
	}
	redisCfg := p.redisCfg
	// A read that is repeated would pass over what the lost reply held.
	redisCfg.NoRetries = true
	if cfg.Source == bridge.PubSub {
		// What is read ahead of the parser is part of the same memory.
		redisCfg.ReadAhead = int(cfg.MaxQueueBytes / 2)
		cfg.MaxQueueBytes = max(cfg.MaxQueueBytes/2, 1<<20)
	}
	source, err := connectRedis(redisCfg, "bridge-source")
	if err != nil {
		return nil, err
	}
	disk, err := p.openSpool(cmd, cfg)
	if err != nil {
		return nil, err
	}
	ingress, err := bridge.NewIngress(cfg, source, p.js, streams, disk, p.log)
	if err != nil {
		return nil, fmt.Errorf("make the bridge: %w", err)
	}
	p.readiness = append(p.readiness, ingress.Ready)
	results, done, err := p.newEgress(cmd)
	if err != nil {
		return nil, err
	}
	present := p.announce(presence.RoleBridge, func(r *presence.Report) { r.Bridge, r.Egress = ingress.Report(), results.Report() })
	return []role{
		egressRole(results, done),
		p.offer(presence.RoleBridge, "stores ticks from Redis in JetStream",
			p.status(presence.RoleBridge, func(r *presence.Report) { r.Bridge = ingress.Report() })),
		p.offer(serviceEgress, "sends results to AppV2's Redis channels",
			p.status(serviceEgress, func(r *presence.Report) { r.Egress = results.Report() })),
		{"bridge", func(ctx context.Context) error {
			defer func() { _ = source.Close() }() // its subscription has ended
			return whilePresent(ctx, present, closingSpool(disk, ingress.Run))
		}},
	}, nil
}

// whilePresent runs run and announces it until it has returned, so that a part
// that still drains is still seen.
func whilePresent(ctx context.Context, present role, run func(context.Context) error) error {
	announcing, withdraw := context.WithCancel(context.WithoutCancel(ctx))
	defer withdraw()
	var group errgroup.Group
	group.Go(func() error { return present.run(announcing) }) // ends with the other
	group.Go(func() error {
		defer withdraw()
		return run(ctx)
	})
	return group.Wait() //nolint:wrapcheck // by runRoles
}

func (p *process) ingressConfig(ctx context.Context, cmd *cli.Command) (bridge.Config, error) {
	cfg := bridge.Config{
		Instance:     p.instance,
		Telemetry:    p.telemetry,
		Source:       bridge.SourceKind(cmd.String("source")),
		Channel:      cmd.String("channel"),
		Group:        cmd.String("group"),
		Consumer:     cmd.String("consumer"),
		Field:        cmd.String("field"),
		Limits:       tick.Limits{MaxFuture: cmd.Duration("max-future")},
		Durability:   bridge.Durability(cmd.String("durability")),
		Lateness:     cmd.Duration("lateness"),
		DrainTimeout: cmd.Duration("drain-timeout"),
		MaxSymbols:   cmd.Int("max-symbols"),
	}
	if cfg.Channel == "" {
		cfg.Channel = p.channels.Ticks
	}
	var err error
	if cfg.Universe, err = p.onlySymbols(ctx, cmd); err != nil {
		return bridge.Config{}, err
	}
	if cfg.MaxQueueBytes, err = sizeOf(cmd, "queue-bytes"); err != nil {
		return bridge.Config{}, err
	}
	if err := cfg.Validate(); err != nil {
		return bridge.Config{}, explainSettings(cmd, err)
	}
	return cfg, nil
}
