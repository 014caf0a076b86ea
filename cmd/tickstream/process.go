package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"
)

// process is what the roles of one process share: its connections, which
// reconnect for ever, and its name.
type process struct {
	name     string // of the command
	log      *slog.Logger
	nats     *nats.Conn
	js       jetstream.JetStream
	redis    redis.UniversalClient // nil for a role that does not speak Redis
	natsCfg  natsConfig
	redisCfg redisConfig
	channels event.Channels
	usage    *presence.Sampler
	host     string
	instance string
	started  time.Time
	watched
}

// role is one long-running part.
type role struct {
	name string
	run  func(context.Context) error
}

// newProcess connects as the flags of cmd say. The servers may be away still.
func newProcess(cmd *cli.Command, name string) (*process, error) {
	return connectProcess(name, natsConfigOf(cmd), redisConfigOf(cmd), cmd.String("redis-namespace"), logger(cmd))
}

func connectProcess(name string, natsCfg natsConfig, redisCfg redisConfig, namespace string, log *slog.Logger, opts ...nats.Option) (*process, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	usage, err := presence.NewSampler()
	if err != nil {
		return nil, fmt.Errorf("measure this process: %w", err)
	}
	p := &process{
		name: name, log: log, host: host, usage: usage, started: time.Now().UTC(),
		channels: event.NewChannels(namespace),
		instance: instanceName(host), natsCfg: natsCfg, redisCfg: redisCfg,
	}
	if redisCfg.URL != "" {
		if p.redis, err = connectRedis(redisCfg, name); err != nil {
			return nil, err
		}
	}
	if p.nats, err = connectNATS(natsCfg, name, log, opts...); err != nil {
		p.close()
		return nil, err
	}
	if p.js, err = jetstream.New(p.nats); err != nil {
		p.close()
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	if err := p.watch(name); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// instanceName is unique to this process and fits a key of a NATS bucket.
func instanceName(host string) string {
	plain := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-':
			return c
		}
		return '-'
	}, host)
	return plain + "-" + strings.ToLower(rand.Text()[:8])
}

func (p *process) close() {
	if p.endTraces != nil {
		p.endTraces()
	}
	if p.nats != nil {
		p.nats.Close()
	}
	if p.redis != nil {
		if err := p.redis.Close(); err != nil {
			p.log.Debug("close redis", "err", err)
		}
	}
}

// announce is the role that tells of another one; detail adds what only that
// one knows.
func (p *process) announce(name string, detail func(*presence.Report)) role {
	told := func() presence.Report { return p.report(name, detail) }
	p.metrics.AddComponent(told)
	announcer := presence.NewAnnouncer(stream.OpenBucket(p.js, stream.ComponentsBucket), told, p.log)
	return role{name + " presence", announcer.Run}
}

// report is what a role says of itself.
func (p *process) report(name string, detail func(*presence.Report)) presence.Report {
	report := presence.Report{
		Role: name, Instance: p.instance, Host: p.host, PID: os.Getpid(),
		Version: currentBuild().Version, StartedAt: p.started, Usage: p.usage.Sample(),
	}
	detail(&report)
	return report
}

// run is [runRoles], and logs what asks the process to stop.
func (p *process) run(ctx context.Context, roles []role) error {
	logged := make(chan struct{})
	ended := context.AfterFunc(ctx, func() {
		defer close(logged)
		p.log.Info("stopping", "cause", context.Cause(ctx))
	})
	err := p.runRoles(ctx, roles)
	if !ended() {
		<-logged
	}
	return err
}

// runRoles runs all, and looks for another NATS server while this one is of no
// use, until all have returned.
func (p *process) runRoles(ctx context.Context, roles []role) error {
	looking, stop := context.WithCancel(context.WithoutCancel(ctx))
	var look sync.WaitGroup
	look.Go(func() { elsewhere(looking, p.js, p.log) }) // ends with stop
	defer look.Wait()
	defer stop()
	return runRoles(ctx, roles)
}

// runRoles runs all until ctx ends or one of them fails, and waits for all.
func runRoles(ctx context.Context, roles []role) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range roles {
		group.Go(func() error { // ends with ctx
			err := r.run(ctx)
			if err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			return nil
		})
	}
	err := group.Wait()
	if errors.Is(err, stream.ErrConflict) {
		return &exitError{code: exitUsage, err: err}
	}
	return err //nolint:wrapcheck // wrapped above
}

// flags joins groups of flags.
func flags(groups ...[]cli.Flag) []cli.Flag { return slices.Concat(groups...) }
