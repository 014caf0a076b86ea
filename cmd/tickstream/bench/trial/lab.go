package trial

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/event"
)

// Lab has the servers and starts the processes that are measured.
type Lab struct {
	cfg      Config
	log      *slog.Logger
	channels event.Channels
	redisURL string
	redisIs  string       // for people
	redis    *rig.Process // nil where it is not ours
	client   *redis.Client
	stores   int
	running  []*rig.Process
	logs     []*os.File

	mu     sync.Mutex
	failed error // of the first process that failed by itself
}

// quiet is for what a benchmark does many times over.
var quiet = slog.New(slog.DiscardHandler)

// NewLab starts Redis, and looks whether a NATS that is given can be used.
func NewLab(ctx context.Context, cfg Config, log *slog.Logger) (*Lab, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Lab{cfg: cfg, log: log, channels: event.NewChannels(namespace)}
	if err := l.openRedis(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if cfg.NATSURL != "" {
		s, err := l.fresh(ctx, false)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		if err := s.close(); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

func (l *Lab) openRedis(ctx context.Context) error {
	l.redisURL, l.redisIs = l.cfg.RedisURL, "the Redis that was given"
	if l.redisURL == "" {
		address, err := rig.FreeAddress()
		if err != nil {
			return err //nolint:wrapcheck // it says what failed
		}
		l.redisURL = "redis://" + address
		_, port, _ := strings.Cut(address, ":")
		if path, err := exec.LookPath("redis-server"); err == nil {
			l.redisIs = "redis-server"
			l.redis, err = l.start("redis", path, nil, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", l.cfg.Dir)
			if err != nil {
				return err
			}
		} else {
			l.redisIs = "the embedded Redis (redis-server is not installed: figures that go through it are too low)"
			if l.redis, err = l.start("redis", l.cfg.Binary, nil, "bench", "redis", "--port", port); err != nil {
				return err
			}
		}
	}
	options, err := redis.ParseURL(l.redisURL)
	if err != nil {
		return fmt.Errorf("redis: give redis://user:password@host:port, a single server: %w", err)
	}
	l.client = redis.NewClient(options)
	return l.await(ctx, startTimeout, "Redis at "+options.Addr+" answers", func(ctx context.Context) bool {
		return l.client.Ping(ctx).Err() == nil
	})
}

// Machine and Servers say what is measured.
func (l *Lab) Machine() string {
	return fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

// Servers says which ones.
func (l *Lab) Servers() string {
	nats := "nats-server " + natsVersion() + " as a process of its own, with file storage"
	if l.cfg.NATSURL != "" {
		nats = "the NATS that was given"
	}
	return nats + "; " + l.redisIs
}

// start starts a process whose log is a file; its output goes there too unless
// output is given.
func (l *Lab) start(name, path string, output *os.File, args ...string) (*rig.Process, error) {
	file := filepath.Join(l.cfg.Dir, strings.ReplaceAll(name, " ", "-")+".log")
	log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	l.logs = append(l.logs, log)
	p := rig.NewProcess(rig.Command{Name: name, Path: path, Args: args, Log: log, Output: output, Died: func(name string, err error) {
		if _, failed := errors.AsType[*exec.ExitError](err); failed {
			l.fail(fmt.Errorf("%s: %w: see %s", name, err, file))
		}
	}})
	if err := p.Start(); err != nil {
		return nil, err //nolint:wrapcheck // it says what failed
	}
	l.running = append(l.running, p)
	return p, nil
}

func (l *Lab) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = cmp.Or(l.failed, err)
}

// failure is that of a process, told once.
func (l *Lab) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.failed
	l.failed = nil
	return err
}

// role starts one of tickstream's commands on a store's NATS.
func (l *Lab) role(name string, s *store, args ...string) (*rig.Process, error) {
	return l.start(name, l.cfg.Binary, nil, append(args, "--nats", s.url)...)
}

// outcome runs one of our own processes to its end and reads the result that it
// leaves in a file.
func (l *Lab) outcome(ctx context.Context, result any, name string, args ...string) (*rig.Process, error) {
	p, done, err := l.begin(name, args...)
	if err != nil {
		return nil, err
	}
	return p, done(ctx, result)
}

// begin is the first half of [Lab.outcome]; done is the second.
func (l *Lab) begin(name string, args ...string) (p *rig.Process, done func(context.Context, any) error, err error) {
	file := filepath.Join(l.cfg.Dir, strings.ReplaceAll(name, " ", "-")+".result")
	_ = os.Remove(file) // of the round before
	if p, err = l.start(name, l.cfg.Binary, nil, append(args, "--result", file)...); err != nil {
		return nil, nil, err
	}
	return p, func(ctx context.Context, result any) error {
		if err := p.Wait(ctx); err != nil {
			return fmt.Errorf("%w: see %s.log", err, strings.TrimSuffix(file, ".result"))
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the result of %s: %w", name, err)
		}
		if err := json.Unmarshal(data, result); err != nil {
			return fmt.Errorf("read the result of %s: %w", name, err)
		}
		return nil
	}, nil
}

// stop ends a process cleanly.
func (l *Lab) stop(p *rig.Process) error {
	return p.Stop(stopTimeout) //nolint:wrapcheck // it says what failed
}

// heard waits until so many listen on the channel of ticks.
func (l *Lab) heard(ctx context.Context, listeners int64) error {
	return l.await(ctx, startTimeout, "somebody listens on "+l.channels.Ticks, func(ctx context.Context) bool {
		n, err := l.client.PubSubNumSub(ctx, l.channels.Ticks).Result()
		return err == nil && n[l.channels.Ticks] == listeners
	})
}

const askEvery = 10 * time.Millisecond

// await asks until it is so.
func (l *Lab) await(ctx context.Context, timeout time.Duration, what string, is func(context.Context) bool) error {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for !is(waiting) {
		if err := l.failure(); err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		select {
		case <-waiting.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
			}
			return fmt.Errorf("wait until %s: not so after %v; the logs are in %s", what, timeout, l.cfg.Dir)
		case <-time.After(askEvery):
		}
	}
	return nil
}

// Close kills what still runs.
func (l *Lab) Close() error {
	var errs []error
	if l.client != nil {
		errs = append(errs, l.client.Close())
	}
	for _, p := range l.running {
		errs = append(errs, p.Kill())
	}
	for _, log := range l.logs {
		errs = append(errs, log.Close())
	}
	return errors.Join(errs...)
}

// loadArgs are those of the load generator.
func (l *Lab) loadArgs(symbols int, ticks int64, more ...string) []string {
	return append([]string{"bench", "load", "--redis", l.redisURL, "--channel", l.channels.Ticks,
		"--symbols", strconv.Itoa(symbols), "--ticks", strconv.FormatInt(ticks, 10)}, more...)
}
