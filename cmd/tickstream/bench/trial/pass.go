package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/ceiling"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// path is one way of ticks from Redis into a stream.
type path struct {
	name           string
	stream, filter string
	syncAlways     bool
	open           func(ctx context.Context, l *Lab, s *store) (*carrier, error)
}

// carrier is what carries the ticks: a process, and how to end it.
type carrier struct {
	process *rig.Process
	// end stops it and returns how many objects it has allocated for the ticks,
	// and what a bridge says of itself.
	end func(ctx context.Context) (allocations float64, report *presence.Bridge, err error)
}

var (
	naivePath = path{name: "naive loop", stream: ceiling.NaiveStream, filter: ceiling.NaiveTicks, open: openNaive}
	ourPath   = path{name: "bridge, process-safe", stream: stream.Ticks, filter: stream.AllTicks, open: openBridge(bridge.ProcessSafe)}
	safePath  = path{name: "bridge, power-safe", stream: stream.Ticks, filter: stream.AllTicks, syncAlways: true, open: openBridge(bridge.PowerSafe)}
)

func openNaive(ctx context.Context, l *Lab, s *store) (*carrier, error) {
	if err := ceiling.CreateNaiveStream(ctx, s.js); err != nil {
		return nil, err //nolint:wrapcheck // it says what failed
	}
	p, done, err := l.begin("naive", "bench", "naive", "--redis", l.redisURL, "--channel", l.channels.Ticks, "--nats", s.url)
	if err != nil {
		return nil, err
	}
	return &carrier{p, func(ctx context.Context) (float64, *presence.Bridge, error) {
		if err := l.stop(p); err != nil {
			return 0, nil, err
		}
		var cost ceiling.Cost
		err := done(ctx, &cost)
		return float64(cost.Allocations), nil, err
	}}, l.heard(ctx, 1)
}

func openBridge(durability bridge.Durability) func(context.Context, *Lab, *store) (*carrier, error) {
	return func(ctx context.Context, l *Lab, s *store) (*carrier, error) {
		p, err := l.startBridge(s, durability)
		if err != nil {
			return nil, err
		}
		ready, err := s.awaitReports(ctx, presence.RoleBridge, 1, p.Born(), func(r presence.Report) bool {
			return r.Bridge != nil && r.Bridge.Subscribed && r.Bridge.State == presence.StateActive
		})
		if err != nil {
			return nil, err
		}
		return &carrier{p, func(ctx context.Context) (float64, *presence.Bridge, error) {
			after, err := s.awaitReports(ctx, presence.RoleBridge, 1, time.Now(), func(r presence.Report) bool { return r.Bridge != nil })
			if err != nil {
				return 0, nil, err
			}
			allocations := float64(after[0].Usage.Allocations - ready[0].Usage.Allocations)
			return allocations, after[0].Bridge, l.stop(p)
		}}, nil
	}
}

func (l *Lab) startBridge(s *store, durability bridge.Durability) (*rig.Process, error) {
	return l.role("bridge", s, "bridge", "--redis", l.redisURL, "--redis-namespace", namespace,
		"--durability", string(durability), "--spool", l.cfg.Dir+"/spool")
}

// pass is one load over one path.
type pass struct {
	*reading
	load        load.Result
	spent       []spent
	allocations map[string]float64
	report      *presence.Bridge // nil of the naive loop
	storedIn    time.Duration    // from the first tick sent to the last stored
}

// passTimeout bounds a pass beside the time that its load takes by itself.
const passTimeout = 10 * time.Minute

// pass publishes a load and reads what became of it. A rate of 0 keeps a
// bounded backlog; a negative one is as fast as Redis takes it.
func (l *Lab) pass(ctx context.Context, by path, symbols int, ticks int64, rate float64) (_ *pass, err error) {
	timeout := passTimeout
	if rate > 0 {
		timeout += time.Duration(float64(ticks) / rate * float64(time.Second))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%s was not done in %v", by.name, timeout))
	defer cancel()
	s, err := l.fresh(ctx, by.syncAlways)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	carrying, err := by.open(ctx, l, s)
	if err != nil {
		return nil, fmt.Errorf("start the %s: %w", by.name, err)
	}
	defer func() { err = errors.Join(err, carrying.process.Kill()) }()

	args := l.loadArgs(symbols, ticks)
	switch {
	case rate > 0:
		args = append(args, "--rate", fmt.Sprint(rate))
	case rate == 0:
		args = append(args, "--backlog", fmt.Sprint(backlog), "--nats", s.url, "--stream", by.stream)
	}
	p := &pass{}
	watching := observe(ctx, carrying.process, s.process, l.redis)
	began := time.Now()
	loading, err := l.outcome(ctx, &p.load, "load", args...)
	if err == nil {
		err = s.awaitStored(ctx, by.stream, ticks)
	}
	p.spent = watching.end()
	if err != nil {
		return nil, err
	}
	used, _ := loading.CPU() // it has ended
	p.spent = append(p.spent, spent{"load", used, 0})
	allocations, report, err := carrying.end(ctx)
	if err != nil {
		return nil, err
	}
	p.allocations, p.report = map[string]float64{carrying.process.Name: allocations}, report
	if p.reading, err = s.read(ctx, by.stream, by.filter, ticks, symbols); err != nil {
		return nil, err
	}
	p.storedIn = p.last.Sub(began)
	l.log.Info("measured", "path", by.name, "symbols", symbols, "ticks", p.ticks, "rate", rate, "stored/s", int(p.rate()), "p99 ms", p.delays.Quantile(0.99))
	return p, nil
}

// problems says what is wrong with it.
func (p *pass) problems(of string) []string {
	var all []string
	if text := p.problem(of); text != "" {
		all = append(all, text)
	}
	if p.load.Unheard > 0 {
		all = append(all, fmt.Sprintf("%s: Redis delivered %d ticks to nobody", of, p.load.Unheard))
	}
	if p.report != nil && (p.report.Gaps > 0 || p.report.Subscriptions > 1) {
		all = append(all, fmt.Sprintf("%s: Redis cut the subscription %d times", of, max(p.report.Gaps, p.report.Subscriptions-1)))
	}
	return all
}
