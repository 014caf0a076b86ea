package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
)

const upDescription = `Runs bridge, pipeline and health in one process. NATS (with its data under
--data) and Redis are embedded unless NATS_URL and REDIS_URL point at real ones;
PostgreSQL is used only where DATABASE_URL is given.

With a synthetic feed that publishes to Redis as AppV2 does, 60 ticks a second:
  tickstream up --sim

The same at 5,000 ticks a second:
  tickstream up --sim 5000

Ctrl-C ends it cleanly, a second one at once.`

// upDrainTimeout keeps a clean stop below five seconds.
const upDrainTimeout = 3 * time.Second

func upCommand() *cli.Command {
	return &cli.Command{
		Name: "up", Category: categoryRun, Usage: "Run everything in one process",
		ArgsUsage:   "[RATE]",
		Description: upDescription,
		Flags: flags(
			[]cli.Flag{
				&cli.StringFlag{Name: "data", Sources: env("data"), Value: defaultDataFolder(), TakesFile: true,
					Usage: "`FOLDER` of the embedded servers' data"},
				&cli.BoolFlag{Name: "sim", Sources: env("sim"),
					Usage: "add a synthetic feed; sessions are then always on unless --session says otherwise"},
				&cli.FloatFlag{Name: "rate", Sources: env("sim", "rate"), Value: 60,
					Usage: "ticks a second of the synthetic feed (`RATE`); up --sim 5000 says the same"},
			},
			natsFlags(""), redisFlags(""), healthFlags(), bridgeFlags(upDrainTimeout), spoolFlags(), egressFlags(), pipelineFlags(), streamFlags(),
		),
		Action: runUp,
	}
}

func runUp(ctx context.Context, cmd *cli.Command) error {
	log := logger(cmd)
	streams, err := streamConfigOf(cmd)
	if err != nil {
		return err
	}
	rate, err := simRate(cmd)
	if err != nil {
		return err
	}
	servers, err := startServers(ctx, cmd, &streams, log)
	if err != nil {
		return err
	}
	defer func() {
		if err := servers.stop(); err != nil {
			log.Warn("stop the embedded servers", "err", err)
		}
	}()

	natsCfg, redisCfg := natsConfigOf(cmd), redisConfigOf(cmd)
	natsCfg.URL, redisCfg.URL = servers.natsURL, servers.redisURL
	var opts []nats.Option
	if servers.nats != nil { // without a socket, which costs more than what is said
		opts = append(opts, nats.InProcessServer(servers.nats))
	}
	p, err := connectProcess("up", natsCfg, redisCfg, cmd.String("redis-namespace"), log, opts...)
	if err != nil {
		return err
	}
	defer p.close()

	if servers.nats != nil {
		// Once here, rather than by three roles at once. What a conflict is, the
		// roles find out again, with health there to tell of it.
		if _, err := stream.Await(ctx, p.js, streams, log); err != nil && !errors.Is(err, stream.ErrConflict) {
			if ctx.Err() != nil {
				return nil // stopped before anything ran
			}
			return &exitError{code: exitUsage, err: err}
		}
	}
	bridgeRoles, err := p.bridgeRolesWith(ctx, cmd, streams)
	if err != nil {
		return err
	}
	health, err := p.healthRoles(ctx, cmd, streams, cmd.Bool("sim"))
	if err != nil {
		return err
	}
	pipelineRoles, err := p.pipelineRoles(cmd, streams)
	if err != nil {
		return err
	}
	roles := health.tellOf(append(bridgeRoles, pipelineRoles...))
	roles = append(roles, health.roles...)
	if cmd.Bool("sim") {
		feed, err := p.feedRole(redisCfg, rate, health.symbols)
		if err != nil {
			return err
		}
		roles = append(roles, feed)
	}
	banner{
		nats: servers.natsURL, redis: servers.redisURL, dashboard: health.url,
		embeddedNATS: servers.nats != nil, embeddedRedis: servers.redis != nil,
		channels: p.channels, data: servers.dataPath(), sim: cmd.Bool("sim"), rate: rate,
	}.print(cmd.Root().Writer)
	return p.run(ctx, roles)
}

// simRate is --rate, or the number behind --sim.
func simRate(cmd *cli.Command) (float64, error) {
	if !cmd.Args().Present() {
		return cmd.Float("rate"), nil
	}
	rate, err := strconv.ParseFloat(cmd.Args().First(), 64)
	if err != nil || !cmd.Bool("sim") || cmd.Args().Len() > 1 {
		return 0, usageErrorf("up takes a rate behind --sim and nothing else, not %q; see tickstream up --help", cmd.Args().First())
	}
	if !(rate > 0 && rate <= 1e6) { // written so that NaN fails too
		return 0, usageErrorf("up --sim cannot be %v: give more than 0 and at most 1000000 ticks a second, or leave --sim out", cmd.Args().First())
	}
	return rate, nil
}

// servers are the embedded ones that this process runs, and where all are.
type servers struct {
	natsURL, redisURL string
	nats              *server.Server       // nil where NATS_URL is given
	redis             *miniredis.Miniredis // nil where REDIS_URL is given
	data              *dataFolder          // nil where nothing is stored
	stopClock         context.CancelFunc
	clock             chan struct{}
	log               *slog.Logger
}

// startServers starts what the flags do not point elsewhere.
func startServers(ctx context.Context, cmd *cli.Command, streams *stream.Config, log *slog.Logger) (*servers, error) {
	s := &servers{natsURL: natsConfigOf(cmd).URL, redisURL: cmd.String("redis"), log: log}
	if s.natsURL == "" {
		if err := s.startNATS(cmd, streams); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	if s.redisURL == "" {
		if err := s.startRedis(ctx); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	return s, nil
}

func (s *servers) startNATS(cmd *cli.Command, streams *stream.Config) (err error) {
	if s.data, err = openDataFolder(cmd.String("data")); err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	// The default is meant for a server; a laptop keeps half of its disk. What
	// TICKS holds already is not free, so a TICKS that is there keeps its size.
	free, err := s.data.freeBytes()
	if err != nil {
		return err
	}
	streams.NewTicksMaxBytes = min(20<<30, max(free/2, 64<<20))
	if s.nats, err = startNATS(s.data, s.log); err != nil {
		return err
	}
	s.natsURL = s.nats.ClientURL()
	return nil
}

func (s *servers) startRedis(ctx context.Context) error {
	var err error
	if s.redis, err = startRedis(s.log); err != nil {
		return err
	}
	s.redisURL = "redis://" + s.redis.Addr()
	// Outlives ctx, since leases are given back after it; ended by stop.
	clockCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stopClock, s.clock = cancel, make(chan struct{})
	go func() {
		defer close(s.clock)
		runRedisClock(clockCtx, s.redis)
	}()
	return nil
}

// stop stops the embedded servers, each once.
func (s *servers) stop() error {
	if s.redis != nil {
		s.stopClock()
		<-s.clock
		s.redis.Close()
	}
	if s.nats != nil {
		stopNATS(s.nats)
	}
	if s.data != nil {
		return s.data.close()
	}
	return nil
}

func (s *servers) dataPath() string {
	if s.data == nil {
		return ""
	}
	return s.data.path
}
