// Package service makes a part of tickstream a NATS micro service: `nats micro`
// finds it, and its endpoints answer requests in JSON.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	namePrefix = "tickstream-"
	// patience is how long an endpoint may take that says nothing else: the
	// clients of NATS wait for 5 s.
	patience = 4 * time.Second
)

// Identity is of which process a service is.
type Identity struct {
	// Version of the binary. What is no semantic version is shown as 0.0.0.
	Version string
	// Metadata that `nats micro info` shows, such as the host.
	Metadata map[string]string
}

// Config of a service.
type Config struct {
	Identity
	// Name of the service, which is tickstream-<Name> in lists and
	// tickstock.control.<Name>.<endpoint> in requests.
	Name string
	// Description in one line.
	Description string
	// Endpoints that it has, at least one.
	Endpoints []Endpoint
	// Ended is called once the service answers no more; nil for nothing.
	Ended func()
}

// Service answers requests while it runs.
type Service struct {
	cfg Config
	nc  *nats.Conn
	log *slog.Logger
}

// New makes a service, which answers nothing yet.
func New(cfg Config, nc *nats.Conn, log *slog.Logger) (*Service, error) {
	if cfg.Name == "" || len(cfg.Endpoints) == 0 || nc == nil || log == nil {
		return nil, errors.New("service: a name, an endpoint, the connection and the log must be given")
	}
	for _, e := range cfg.Endpoints {
		if e.Name == "" || e.Handle == nil {
			return nil, fmt.Errorf("service %s: an endpoint has no name or no handler", cfg.Name)
		}
	}
	return &Service{cfg: cfg, nc: nc, log: log}, nil
}

// Run answers requests until ctx ends. NATS may be away meanwhile.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.Serve(ctx)
	if err != nil {
		return err
	}
	<-ctx.Done()
	stop()
	return nil
}

// Serve answers requests until stop is called; ctx is what they run under.
func (s *Service) Serve(ctx context.Context) (stop func(), err error) {
	served, err := micro.AddService(s.nc, micro.Config{
		Name: namePrefix + s.cfg.Name, Version: semantic(s.cfg.Version),
		Description: s.cfg.Description, Metadata: maps.Clone(s.cfg.Metadata),
		ErrorHandler: func(_ micro.Service, err *micro.NATSError) {
			s.log.Debug("service reports an error", "service", s.cfg.Name, "err", err)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("offer service %s: %w", s.cfg.Name, err)
	}
	stop = func() {
		if err := served.Stop(); err != nil {
			s.log.Debug("service not stopped in order", "service", s.cfg.Name, "err", err)
		}
		if s.cfg.Ended != nil {
			s.cfg.Ended()
		}
	}
	for _, e := range s.cfg.Endpoints {
		if err := served.AddEndpoint(e.Name, s.handler(ctx, e), e.options(s.cfg.Name)...); err != nil {
			stop()
			return nil, fmt.Errorf("offer %s: %w", stream.ControlSubject(s.cfg.Name, e.Name), err)
		}
	}
	return stop, nil
}

// semanticVersion is the expression that semver.org suggests, and Go's v.
var semanticVersion = regexp.MustCompile(`^v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)` +
	`(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
	`(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?)$`)

// semantic is version as a service must have it.
func semantic(version string) string {
	if m := semanticVersion.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return "0.0.0"
}
