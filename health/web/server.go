// Package web serves what a monitor knows: a page for people, the latest event
// for programs, and probes for whatever restarts the process.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/tickstock/tickstream/health"
)

// Config of a server.
type Config struct {
	// Addr is where it listens, host:port. Defaults to 127.0.0.1:8080.
	Addr string
	// FallbackPort lets a free port of the same host take the place of one
	// that is in use.
	FallbackPort bool
}

// shutdownTimeout bounds how long requests under way hold up the end.
const shutdownTimeout = time.Second

// staleBeats is how many intervals a monitor's loops may take to come round
// before it counts as hung.
const staleBeats = 3

// Server serves the snapshots of a monitor.
type Server struct {
	cfg      Config
	snapshot func() health.Snapshot
	now      func() time.Time
	log      *slog.Logger
	listener net.Listener
}

// New makes a server of what snapshot returns.
func New(cfg Config, snapshot func() health.Snapshot, log *slog.Logger) (*Server, error) {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:8080"
	}
	if _, _, err := net.SplitHostPort(cfg.Addr); err != nil {
		return nil, fmt.Errorf("status page address is %q: give host:port, such as 127.0.0.1:8080", cfg.Addr)
	}
	return &Server{cfg: cfg, snapshot: snapshot, now: time.Now, log: log}, nil
}

// Listen opens the port, so that [Server.Addr] is known before [Server.Run].
func (s *Server) Listen(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.cfg.Addr)
	if errors.Is(err, syscall.EADDRINUSE) && s.cfg.FallbackPort {
		host, port, _ := net.SplitHostPort(s.cfg.Addr) // New has checked it
		listener, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
		if err == nil {
			s.log.Warn("port is taken, using a free one", "server", "status page", "wanted", port, "address", listener.Addr())
		}
	}
	if err != nil {
		return fmt.Errorf("listen for the status page: %w", err)
	}
	s.listener = listener
	return nil
}

// Addr is where the server listens; nil before [Server.Listen].
func (s *Server) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Run serves until ctx ends; it listens first if that was not done.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		err := server.Shutdown(closing)
		if err != nil {
			err = server.Close() // whoever is still there has had its time
		}
		stopped <- err
	})
	defer stop()
	if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the status page: %w", err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("stop the status page: %w", err)
	}
	return nil
}
