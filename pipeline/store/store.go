package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/stream"
	"golang.org/x/sync/errgroup"
)

// LeaseKey is the key in the leases bucket of the one process that writes.
const LeaseKey = "pipeline.store"

const connectTimeout = 5 * time.Second

// Store writes what is in the streams to PostgreSQL. [Store.Run] is its whole
// life.
type Store struct {
	cfg     Config
	js      jetstream.JetStream
	log     *slog.Logger
	pool    *pgxpool.Config
	lease   *lease.Lease
	lanes   []*lane
	writing atomic.Bool
}

// New makes a store. The database and the streams may come into being later;
// an error is a setting that cannot be used.
func New(cfg Config, js jetstream.JetStream, log *slog.Logger) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("store settings: %w", err)
	}
	pool, err := PoolConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("store settings: %w", err)
	}
	s := &Store{cfg: cfg, js: js, log: log, pool: pool}
	leases := stream.OpenBucket(js, stream.LeasesBucket)
	if s.lease, err = lease.New(lease.Config{Key: LeaseKey, Holder: cfg.Instance, TTL: stream.LeaseTTL}, leases, log); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	zone, err := time.LoadLocation(cfg.MarketZone)
	if err != nil {
		return nil, fmt.Errorf("store settings: market zone: %w", err)
	}
	for _, t := range tables(cfg, zone) {
		s.lanes = append(s.lanes, newLane(cfg, t, js, log))
	}
	// Each lane keeps its connection for as long as it writes.
	pool.MaxConns = int32(len(s.lanes)) + 1
	pool.ConnConfig.ConnectTimeout = min(connectTimeout, cfg.WriteTimeout)
	if params := pool.ConnConfig.RuntimeParams; params["application_name"] == "" {
		params["application_name"] = "tickstream store"
	}
	return s, nil
}

// Run stores until ctx ends: it waits for the lease, and while it has it writes
// every table. What is in hand when ctx ends is left to the next run.
func (s *Store) Run(ctx context.Context) error {
	pool, err := pgxpool.NewWithConfig(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer pool.Close()
	if err := s.lease.Run(ctx, func(ctx context.Context) error { return s.lead(ctx, pool) }); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (s *Store) lead(ctx context.Context, pool *pgxpool.Pool) error {
	s.writing.Store(true)
	defer s.writing.Store(false)
	s.log.Info("storing in PostgreSQL", "tables", len(s.lanes))
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range s.lanes {
		group.Go(func() error { return l.run(ctx, pool) }) // ends with ctx
	}
	return group.Wait() //nolint:wrapcheck // lanes end with the context, without error
}
