package soak

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// fullKind lets JetStream refuse ticks as when its storage is full.
func fullKind() kind {
	return kind{name: "full: TICKS", begin: func(ctx context.Context, s *Soak) (func(context.Context) error, error) {
		ticks, err := s.js.Stream(ctx, stream.Ticks)
		if err != nil {
			return nil, fmt.Errorf("look at TICKS: %w", err)
		}
		info := ticks.CachedInfo()
		full := info.Config
		full.Discard, full.MaxBytes = jetstream.DiscardNew, int64(info.State.Bytes) //nolint:gosec // a size
		if _, err := s.js.UpdateStream(ctx, full); err != nil {
			return nil, fmt.Errorf("leave TICKS no room: %w", err)
		}
		return func(ctx context.Context) error {
			if _, err := s.js.UpdateStream(ctx, info.Config); err != nil {
				return fmt.Errorf("give TICKS room: %w", err)
			}
			return nil
		}, nil
	}}
}

// backendsKind has PostgreSQL end every connection, as its restart does.
func backendsKind() kind {
	return kind{name: "disconnected: PostgreSQL", needs: withDatabase, outlived: true, begin: func(ctx context.Context, s *Soak) (func(context.Context) error, error) {
		conn, err := pgx.Connect(ctx, s.cfg.DatabaseURL)
		if err != nil {
			return nil, fmt.Errorf("connect to the database: %w", err)
		}
		defer func() { _ = conn.Close(ctx) }() // it was only asked
		const end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = current_user and pid <> pg_backend_pid() and application_name like 'tickstream%'"
		if _, err := conn.Exec(ctx, end); err != nil {
			return nil, fmt.Errorf("end the connections to the database: %w", err)
		}
		return func(context.Context) error { return nil }, nil
	}}
}
