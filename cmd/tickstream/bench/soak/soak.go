package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/event"
)

// Soak is one run.
type Soak struct {
	cfg      Config
	log      *slog.Logger
	random   *rand.Rand
	channels event.Channels
	ledger   *ledger
	system   *rig.System
	watch    *watch
	js       jetstream.JetStream
	redis    *redis.Client
	injected []injected
	usage    *usage

	mu       sync.Mutex
	problems []string
	details  int // single faults, told or not
}

// injected is one fault that was made.
type injected struct {
	kind     kind
	from, to time.Time // until the system was whole again
	recovery time.Duration
}

// New makes a run and starts nothing.
func New(cfg Config, log *slog.Logger) (*Soak, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Soak{
		cfg: cfg, log: log, ledger: newLedger(), channels: event.NewChannels("soak"),
		random: rand.New(rand.NewPCG(cfg.Seed, 0x736f616b)), //nolint:gosec // to be repeated
	}, nil
}

// problem notes what is wrong beside lost ticks and wrong bars.
func (s *Soak) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.log.Error(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, text)
}

// Run runs it to the end and checks what came of it. The error is that the run
// itself could not be made.
func (s *Soak) Run(ctx context.Context) (_ *Report, err error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.system.Start(); err != nil {
		return nil, fmt.Errorf("start the system: %w", err)
	}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	helping, stopHelpers := context.WithCancel(ctx)
	defer stopHelpers()
	helpers.Go(func() { s.watch.listen(helping, s.redis, s.channels.Health) })
	helpers.Go(func() { s.usage.run(helping) })

	load, err := newTraffic(s.cfg, s.channels.Ticks, s.redis, s.ledger, s.log)
	if err != nil {
		return nil, err
	}
	if err := s.warmUp(ctx, load); err != nil {
		return nil, err
	}
	loading, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	loaded := make(chan struct{})
	go func() { defer close(loaded); load.run(loading) }() // ends with stopLoad
	began := time.Now()
	err = s.breakAll(ctx, began)
	stopLoad()
	<-loaded
	if err != nil && !errors.Is(err, errStuck) {
		return nil, err
	}
	report := &Report{Seed: s.cfg.Seed, Rate: s.cfg.Rate, Seconds: time.Since(began).Seconds()}
	s.log.Info("load ended, working through what is left", "faults", len(s.injected))
	if err := s.settle(ctx, report); err != nil {
		return nil, err
	}
	return report, nil
}

func (s *Soak) open() error {
	var err error
	s.system, err = rig.New(rig.Config{
		Binary: s.cfg.Binary, Dir: s.cfg.Dir, RedisURL: s.cfg.RedisURL, DatabaseURL: s.cfg.DatabaseURL,
		Namespace: "soak", Pipelines: pipelines,
		Died: func(name string, err error) { s.problem("%s ended by itself: %v", name, err) },
	})
	if err != nil {
		return fmt.Errorf("prepare the system: %w", err)
	}
	options, err := redis.ParseURL(s.system.RedisURL)
	if err != nil {
		return fmt.Errorf("read the address of Redis: %w", err)
	}
	options.MaxRetries, options.ReadTimeout, options.WriteTimeout = -1, 30*time.Second, 30*time.Second
	s.redis = redis.NewClient(options)
	nc, err := nats.Connect(s.system.NATSURL, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(3))
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	if s.js, err = jetstream.New(nc); err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	s.watch = &watch{js: s.js, system: s.system, ledger: s.ledger, rate: s.cfg.Rate}
	s.usage = newUsage(s.system, s.watch)
	return nil
}

func (s *Soak) close() error {
	if s.js != nil {
		s.js.Conn().Close()
	}
	if s.redis != nil {
		_ = s.redis.Close() // nothing is left to send
	}
	return s.system.Close() //nolint:wrapcheck // it says what it ended
}

// warmUp waits until the system is there and gives it ticks of the time before
// now.
func (s *Soak) warmUp(ctx context.Context, load *traffic) error {
	subscribed := func(ctx context.Context) error {
		n, err := s.redis.PubSubNumSub(ctx, s.channels.Ticks).Result()
		if err == nil && n[s.channels.Ticks] < int64(len(s.system.Bridges)) {
			err = errors.New("not all bridges are subscribed")
		}
		return err //nolint:wrapcheck // await wraps it
	}
	if _, err := await(ctx, settleTimeout, subscribed); err != nil {
		return fmt.Errorf("start the system: %w", err)
	}
	began := time.Now()
	load.past(ctx, began)
	took, err := await(ctx, settleTimeout, func(ctx context.Context) error { return s.watch.whole(ctx, began) })
	if err != nil {
		return fmt.Errorf("take in the history: %w", err)
	}
	_, n := s.ledger.last()
	s.log.Info("the system runs", "ticks of history", n, "taken in within", seconds(took))
	return nil
}

// breakAll injects faults until there were enough of all.
func (s *Soak) breakAll(ctx context.Context, began time.Time) error {
	var deck []kind
	stalled := s.cfg.LongStall == 0
	for ctx.Err() == nil {
		_, ticks := s.ledger.last()
		if len(s.injected) >= s.cfg.Faults && ticks >= s.cfg.Ticks && time.Since(began) >= s.cfg.Duration {
			return nil
		}
		if s.cfg.Faults == 0 {
			pause(ctx, quantum)
			continue
		}
		if len(deck) == 0 {
			deck = s.cfg.kinds()
			s.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		k := deck[0]
		deck = deck[1:]
		// Both are drawn whatever comes, so that the seed makes the schedule.
		rest := restLow + time.Duration(s.random.Int64N(int64(restHigh-restLow)))
		hold := s.cfg.MaxHold/10 + time.Duration(s.random.Int64N(int64(s.cfg.MaxHold)*9/10))
		if k.longest && !stalled {
			hold, stalled = s.cfg.LongStall, true
		}
		pause(ctx, rest)
		if err := s.inject(ctx, k, hold); err != nil {
			return err
		}
	}
	return ctx.Err() //nolint:wrapcheck // interrupted
}

// errStuck ends the faults: the system is not whole, which is a problem of its own.
var errStuck = errors.New("the system does not become whole")

// inject makes one fault and waits until the system is whole again.
func (s *Soak) inject(ctx context.Context, k kind, hold time.Duration) error {
	f := injected{kind: k, from: time.Now()}
	s.injected = append(s.injected, f)
	s.ledger.begin(len(s.injected))
	this := &s.injected[len(s.injected)-1]
	end, err := k.begin(ctx, s)
	if err != nil {
		s.problem("fault %d, %v", len(s.injected), unexpected(k, err))
	}
	broken := time.Now()
	after, _ := s.ledger.last()
	recovered := func(since time.Time) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := s.watch.flows(ctx, after+1); err != nil || k.recovered == nil {
				return err
			}
			return k.recovered(s.watch, ctx, since)
		}
	}
	took := make(chan time.Duration, 1)
	if k.outlived {
		go func() { // received below
			d, err := await(ctx, settleTimeout+hold, recovered(broken))
			if err != nil && ctx.Err() == nil {
				s.problem("fault %d, %s: no recovery %v", len(s.injected), k.name, err)
			}
			took <- d + broken.Sub(f.from)
		}()
	}
	pause(ctx, hold)
	if end != nil {
		if _, err := await(ctx, settleTimeout, end); err != nil && ctx.Err() == nil {
			return unexpected(k, err)
		}
	}
	mended := time.Now()
	if !k.outlived {
		after, _ = s.ledger.last()
		d, err := await(ctx, settleTimeout, recovered(mended))
		if err != nil && ctx.Err() == nil {
			s.problem("fault %d, %s: no recovery %v", len(s.injected), k.name, err)
		}
		took <- d
	}
	this.recovery = <-took
	_, err = await(ctx, settleTimeout, func(ctx context.Context) error { return s.watch.whole(ctx, mended) })
	this.to = time.Now()
	if err != nil && ctx.Err() == nil {
		s.problem("fault %d, %s: not whole %v", len(s.injected), k.name, err)
		return errStuck
	}
	s.log.Info("fault", "n", len(s.injected), "kind", k.name, "held", seconds(mended.Sub(broken)),
		"recovery", seconds(this.recovery), "whole after", seconds(this.to.Sub(mended)))
	return nil
}
