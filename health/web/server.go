// Package web serves HTTP: the page and the metrics that it is given, the latest
// health event for programs, and for those who run the process whether it lives
// and is ready, and its profiles.
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

	"golang.org/x/net/netutil"
)

const shutdownTimeout = 2 * time.Second

// Server serves one content.
type Server struct {
	cfg      Config
	log      *slog.Logger
	handler  http.Handler
	listener net.Listener
}

// New makes a server; it starts nothing.
func New(cfg Config, content Content, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Server{cfg: cfg, log: log, handler: protect(cfg, newHandler(content, log), log)}, nil
}

// Listen takes the port, so that [Server.Addr] is known before [Server.Run].
func (s *Server) Listen() error {
	listener, err := net.Listen("tcp", s.cfg.Address)
	if errors.Is(err, syscall.EADDRINUSE) && s.cfg.FallbackPort {
		host, port, splitErr := net.SplitHostPort(s.cfg.Address)
		if splitErr != nil {
			return fmt.Errorf("HTTP address %q: %w", s.cfg.Address, splitErr)
		}
		s.log.Warn("port is taken, using a free one", "server", "http", "wanted", port)
		listener, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w: give another address", err)
	}
	s.listener = netutil.LimitListener(listener, s.cfg.MaxConnections)
	return nil
}

// Addr is where the server listens, host and port; empty before
// [Server.Listen].
func (s *Server) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// URL is where a browser on this machine finds the page; empty before
// [Server.Listen].
func (s *Server) URL() string {
	switch {
	case s.listener == nil:
		return ""
	case s.cfg.TLS != nil:
		return "https://" + s.Addr() + "/"
	}
	return "http://" + s.Addr() + "/"
}

// Close gives the port back where [Server.Run] will not be called.
func (s *Server) Close() error {
	if s.listener == nil {
		return nil
	}
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close HTTP listener: %w", err)
	}
	return nil
}

// Run serves until ctx ends. It listens first if [Server.Listen] has not.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		TLSConfig:         s.cfg.TLS,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { // ends with the shutdown below
		if s.cfg.TLS != nil {
			served <- server.ServeTLS(s.listener, "", "")
			return
		}
		served <- server.Serve(s.listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(graceful); err != nil {
		s.log.Debug("HTTP connections cut", "err", err)
		_ = server.Close() // nothing is left to be done about it
	}
	<-served
	return nil
}
