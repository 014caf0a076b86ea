package rig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed/proxy"
)

// Config of a [System].
type Config struct {
	// Binary is tickstream's own. Required.
	Binary string
	// Dir holds the data and the logs of all. Required.
	Dir string
	// RedisURL is a Redis that runs; empty for one of the system's own.
	RedisURL string
	// DatabaseURL is a PostgreSQL that runs; empty for none, unless OwnDatabase
	// asks for one of the system's own.
	DatabaseURL string
	OwnDatabase bool
	// Namespace of the Redis channels.
	Namespace string
	// Pipelines is how many share the work.
	Pipelines int
	// Died is told of a process that ended by itself.
	Died func(name string, err error)
}

// Member is one process of tickstream and its wires to the servers.
type Member struct {
	*Process
	NATS, Redis, Database *proxy.Proxy // nil where it has none
	Spool                 string       // folder; of a bridge
}

// System is all that runs.
type System struct {
	cfg Config
	// NATS, Redis and Postgres are the servers; nil where they are not ours.
	NATS, Redis, Postgres *Process
	// NATSURL, RedisURL and DatabaseURL lead to them directly.
	NATSURL, RedisURL, DatabaseURL string
	// RealRedis tells a redis-server from the embedded one.
	RealRedis bool
	Bridges   []*Member
	Pipelines []*Member
	Health    []*Member
	wires     []*proxy.Proxy
	logs      []*os.File
}

// NATSFolder is where the NATS server keeps its store.
func (s *System) NATSFolder() string { return filepath.Join(s.cfg.Dir, "nats") }

// GoroutineFile is where a server of ours notes its goroutines.
func (s *System) GoroutineFile(server string) string {
	return filepath.Join(s.cfg.Dir, server+".goroutines")
}

// New makes the system and starts nothing.
func New(cfg Config) (*System, error) {
	s := &System{cfg: cfg}
	if err := s.make(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *System) make() error {
	natsAddress, err := FreeAddress()
	if err != nil {
		return err
	}
	s.NATSURL = "nats://" + natsAddress
	_, port, _ := net.SplitHostPort(natsAddress)
	if s.NATS, err = s.process("nats", s.cfg.Binary, "bench", "nats", "--port", port, "--store", s.NATSFolder(), "--goroutines", s.GoroutineFile("nats")); err != nil {
		return err
	}
	if err := s.makeRedis(); err != nil {
		return err
	}
	s.DatabaseURL = s.cfg.DatabaseURL
	if s.cfg.OwnDatabase {
		if err := s.makePostgres(); err != nil {
			return err
		}
	}
	for n := 1; n <= 2; n++ {
		spool := filepath.Join(s.cfg.Dir, fmt.Sprintf("spool-%d", n))
		b, err := s.member(fmt.Sprintf("bridge %d", n), true, false, "bridge", "--spool", spool)
		if err != nil {
			return err
		}
		b.Spool = spool
		s.Bridges = append(s.Bridges, b)
	}
	for n := 1; n <= s.cfg.Pipelines; n++ {
		p, err := s.member(fmt.Sprintf("pipeline %d", n), false, true, "pipeline", "--checkpoint-interval", "2s")
		if err != nil {
			return err
		}
		s.Pipelines = append(s.Pipelines, p)
	}
	for n := 1; n <= 2; n++ {
		h, err := s.member(fmt.Sprintf("health %d", n), true, false, "health", "--session", "always", "--health-interval", "1s", "--http", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.Health = append(s.Health, h)
	}
	return nil
}

func (s *System) makeRedis() error {
	if s.RedisURL = s.cfg.RedisURL; s.RedisURL != "" {
		s.RealRedis = true
		return nil
	}
	address, err := FreeAddress()
	if err != nil {
		return err
	}
	s.RedisURL = "redis://" + address
	_, port, _ := net.SplitHostPort(address)
	if path, found := exec.LookPath("redis-server"); found == nil {
		s.RealRedis = true
		s.Redis, err = s.process("redis", path, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", s.cfg.Dir)
		return err
	}
	s.Redis, err = s.process("redis", s.cfg.Binary, "bench", "redis", "--port", port, "--goroutines", s.GoroutineFile("redis"))
	return err
}

// member makes a process of tickstream behind wires of its own.
func (s *System) member(name string, redis, database bool, args ...string) (*Member, error) {
	m := &Member{}
	wire := func(target string) (*proxy.Proxy, string, error) {
		u, err := url.Parse(target)
		if err != nil {
			return nil, "", fmt.Errorf("read the address of a server: %w", err)
		}
		p, err := proxy.Start(u.Host)
		if err != nil {
			return nil, "", err
		}
		s.wires = append(s.wires, p)
		u.Host = p.Addr()
		return p, u.String(), nil
	}
	var through string
	var err error
	if m.NATS, through, err = wire(s.NATSURL); err != nil {
		return nil, err
	}
	args = append(args, "--nats", through)
	if redis {
		if m.Redis, through, err = wire(s.RedisURL); err != nil {
			return nil, err
		}
		args = append(args, "--redis", through, "--redis-namespace", s.cfg.Namespace)
	}
	if database && s.DatabaseURL != "" {
		if m.Database, through, err = wire(s.DatabaseURL); err != nil {
			return nil, err
		}
		args = append(args, "--database", through)
	}
	m.Process, err = s.process(name, s.cfg.Binary, args...)
	return m, err
}

func (s *System) process(name, path string, args ...string) (*Process, error) {
	file := filepath.Join(s.cfg.Dir, strings.ReplaceAll(name, " ", "-")+".log")
	log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	s.logs = append(s.logs, log)
	return &Process{Name: name, path: path, args: args, env: environment(), log: log, died: s.cfg.Died}, nil
}

// Servers are the processes of ours that are not tickstream's roles.
func (s *System) Servers() []*Process {
	return slices.DeleteFunc([]*Process{s.NATS, s.Redis, s.Postgres}, func(p *Process) bool { return p == nil })
}

// Members are tickstream's processes.
func (s *System) Members() []*Member {
	var all []*Member
	all = append(append(append(all, s.Bridges...), s.Pipelines...), s.Health...)
	return all
}

// Start starts all.
func (s *System) Start() error {
	for _, p := range s.Servers() {
		if err := p.Start(); err != nil {
			return err
		}
	}
	for _, m := range s.Members() {
		if err := m.Start(); err != nil {
			return err
		}
	}
	return nil
}

// StopAll stops members cleanly and says which could not.
func StopAll(members []*Member, timeout time.Duration) error {
	errs := make([]error, len(members))
	done := make(chan struct{})
	for i, m := range members {
		go func() { errs[i] = m.Stop(timeout); done <- struct{}{} }() // received below
	}
	for range members {
		<-done
	}
	return errors.Join(errs...)
}

// Close kills what still runs and gives everything free but the folder.
func (s *System) Close() error {
	var errs []error
	for _, m := range s.Members() {
		errs = append(errs, m.Kill())
	}
	for _, p := range s.Servers() {
		errs = append(errs, p.Kill())
	}
	for _, w := range s.wires {
		w.Close()
	}
	for _, log := range s.logs {
		errs = append(errs, log.Close())
	}
	return errors.Join(errs...)
}

// FreeAddress is one on loopback where nothing listens, of a port that no
// system gives to clients by itself: it must be free again after a kill.
func FreeAddress() (string, error) {
	var err error
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.IntN(20_000))) //nolint:gosec // no secret
		var listener net.Listener
		if listener, err = net.Listen("tcp", address); err == nil {
			return address, listener.Close() //nolint:wrapcheck // nothing was written
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
