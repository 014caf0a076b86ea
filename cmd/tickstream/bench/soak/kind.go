package soak

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/testbed/proxy"
)

// kind is one kind of fault: a row of the matrix.
type kind struct {
	name string
	// begin breaks something and returns what mends it.
	begin func(ctx context.Context, s *Soak) (end func(context.Context) error, err error)
	// outlived says that the system goes on while the fault lasts, so that its
	// recovery is measured from the beginning; else from the end.
	outlived bool
	// gaps says that pub/sub itself may lose what is published meanwhile.
	gaps bool
	// needs tells whether the fault can be had in this run; nil for always.
	needs func(c Config) bool
	// recovered is asked besides whether ticks flow; nil for nothing else.
	recovered func(w *watch, ctx context.Context, since time.Time) error
	// longest may be stalled for long once.
	longest bool
}

func withDatabase(c Config) bool { return c.DatabaseURL != "" }
func ownRedis(c Config) bool     { return c.RedisURL == "" }

// kinds are those that the configuration allows.
func (c Config) kinds() []kind {
	var chosen []kind
	for _, k := range allKinds() {
		if strings.Contains(k.name, c.Only) && (k.needs == nil || k.needs(c)) {
			chosen = append(chosen, k)
		}
	}
	return chosen
}

func allKinds() []kind {
	var all []kind
	for _, way := range []struct {
		name string
		act  func(*rig.Process) (func(context.Context) error, error)
	}{{"kill -9", kill}, {"SIGTERM, start again", restart}, {"stall", stall}} {
		of := func(what string, pick func(context.Context, *Soak) (*rig.Process, error)) kind {
			return kind{name: way.name + ": " + what, begin: func(ctx context.Context, s *Soak) (func(context.Context) error, error) {
				p, err := pick(ctx, s)
				if err != nil {
					return nil, err
				}
				s.log.Debug("breaking", "how", way.name, "process", p.Name)
				return way.act(p)
			}}
		}
		leading, standing := of("leading bridge", leading), of("bridge on standby", standing)
		worker, health := of("pipeline", worker), of("health", healthOne)
		for _, k := range []*kind{&leading, &standing, &worker, &health} {
			k.outlived = true
		}
		leading.longest = way.name == "stall"
		health.recovered = (*watch).healthy
		nats := of("NATS", func(_ context.Context, s *Soak) (*rig.Process, error) { return s.system.NATS, nil })
		redis := of("Redis", func(_ context.Context, s *Soak) (*rig.Process, error) { return s.system.Redis, nil })
		redis.gaps, redis.needs = true, ownRedis
		all = append(all, leading, standing, worker, health, nats, redis)
	}
	for _, way := range []struct {
		name  string
		act   func(*proxy.Proxy)
		whole bool
	}{{"cut", (*proxy.Proxy).Cut, true}, {"hang", (*proxy.Proxy).Stall, false}} {
		of := func(what string, pick func(context.Context, *Soak) ([]*proxy.Proxy, error)) kind {
			return kind{name: way.name + ": " + what, begin: func(ctx context.Context, s *Soak) (func(context.Context) error, error) {
				wires, err := pick(ctx, s)
				if err != nil {
					return nil, err
				}
				for _, w := range wires {
					way.act(w)
				}
				return func(context.Context) error {
					for _, w := range wires {
						w.Restore()
					}
					return nil
				}, nil
			}}
		}
		leaderNATS := of("NATS to leading bridge", one(leadingMember, natsWire))
		leaderRedis := of("Redis to leading bridge", one(leadingMember, redisWire))
		standbyRedis := of("Redis to bridge on standby", one(standingMember, redisWire))
		worker := of("NATS to pipeline", one(workerMember, natsWire))
		health := of("NATS to health", one(healthMember, natsWire))
		healthRedis := of("Redis to health", one(healthMember, redisWire))
		for _, k := range []*kind{&leaderNATS, &leaderRedis, &standbyRedis, &worker, &health, &healthRedis} {
			k.outlived = true
		}
		health.recovered, healthRedis.recovered = (*watch).healthy, (*watch).healthy
		bothNATS := of("NATS to both bridges", each(bridges, natsWire))
		bothRedis := of("Redis to both bridges", each(bridges, redisWire))
		bothRedis.gaps = true
		database := of("PostgreSQL to pipelines", each(workers, databaseWire))
		database.needs, database.outlived, database.recovered = withDatabase, true, (*watch).stored
		all = append(all, leaderNATS, leaderRedis, standbyRedis, bothNATS, bothRedis, worker, health, healthRedis, database)
	}
	return append(all, fullKind(), backendsKind())
}

func kill(p *rig.Process) (func(context.Context) error, error) {
	return func(context.Context) error { return p.Start() }, p.Kill()
}

func restart(p *rig.Process) (func(context.Context) error, error) {
	return func(context.Context) error { return p.Start() }, p.Stop(stopTimeout)
}

func stall(p *rig.Process) (func(context.Context) error, error) {
	return func(context.Context) error { return p.Resume() }, p.Stall()
}

func leadingMember(ctx context.Context, s *Soak) (*rig.Member, error) {
	i, err := s.watch.leader(ctx)
	if err != nil {
		return nil, err
	}
	return s.system.Bridges[i], nil
}

func standingMember(ctx context.Context, s *Soak) (*rig.Member, error) {
	i, err := s.watch.leader(ctx)
	if err != nil {
		return nil, err
	}
	return s.system.Bridges[1-i], nil
}

func workerMember(_ context.Context, s *Soak) (*rig.Member, error) {
	return s.system.Pipelines[s.random.IntN(len(s.system.Pipelines))], nil
}

func healthMember(_ context.Context, s *Soak) (*rig.Member, error) {
	return s.system.Health[s.random.IntN(len(s.system.Health))], nil
}

type pickMember func(context.Context, *Soak) (*rig.Member, error)

func processOf(pick pickMember) func(context.Context, *Soak) (*rig.Process, error) {
	return func(ctx context.Context, s *Soak) (*rig.Process, error) {
		m, err := pick(ctx, s)
		if err != nil {
			return nil, err
		}
		return m.Process, nil
	}
}

var (
	leading   = processOf(leadingMember)
	standing  = processOf(standingMember)
	worker    = processOf(workerMember)
	healthOne = processOf(healthMember)
)

func natsWire(m *rig.Member) *proxy.Proxy     { return m.NATS }
func redisWire(m *rig.Member) *proxy.Proxy    { return m.Redis }
func databaseWire(m *rig.Member) *proxy.Proxy { return m.Database }

func bridges(s *Soak) []*rig.Member { return s.system.Bridges }
func workers(s *Soak) []*rig.Member { return s.system.Pipelines }

func one(pick pickMember, wire func(*rig.Member) *proxy.Proxy) func(context.Context, *Soak) ([]*proxy.Proxy, error) {
	return func(ctx context.Context, s *Soak) ([]*proxy.Proxy, error) {
		m, err := pick(ctx, s)
		if err != nil {
			return nil, err
		}
		return []*proxy.Proxy{wire(m)}, nil
	}
}

func each(pick func(*Soak) []*rig.Member, wire func(*rig.Member) *proxy.Proxy) func(context.Context, *Soak) ([]*proxy.Proxy, error) {
	return func(_ context.Context, s *Soak) ([]*proxy.Proxy, error) {
		var wires []*proxy.Proxy
		for _, m := range pick(s) {
			wires = append(wires, wire(m))
		}
		if len(wires) == 0 {
			return nil, errors.New("there is no such process")
		}
		return wires, nil
	}
}

// unexpected wraps what a fault could not do.
func unexpected(k kind, err error) error { return fmt.Errorf("%s: %w", k.name, err) }
