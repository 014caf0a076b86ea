package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"golang.org/x/sync/errgroup"
)

// LeaseKey is held by the one process that writes.
const LeaseKey = presence.RolePipeline + ".store"

// migrationLock is an advisory lock of PostgreSQL, so that tables are made by
// one process at a time.
const migrationLock = 0x7469636b73747265

// Store writes for as long as it holds the lease.
type Store struct {
	cfg   Config
	pool  *pgxpool.Pool
	nats  *nats.Conn
	js    jetstream.JetStream
	log   *slog.Logger
	lease *lease.Lease
	meter meter

	barTables map[string]string // by timeframe

	mu     sync.Mutex
	tables map[string]*table // that fit, by name
}

// Open reads the database URL and makes a pool; it does not connect. Times
// without a zone are UTC.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be read: give postgres://user:password@host:5432/database")
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = "tickstream"
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return pool, nil
}

// New makes a store from the streams behind nc to the database of pool.
func New(cfg Config, pool *pgxpool.Pool, nc *nats.Conn, js jetstream.JetStream, log *slog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("store settings: %w", err)
	}
	s := &Store{cfg: cfg.withDefaults(), pool: pool, nats: nc, js: js, log: log, meter: newMeter(), tables: map[string]*table{}}
	var err error
	s.lease, err = lease.New(lease.Config{Key: LeaseKey, Holder: cfg.Instance, TTL: stream.LeaseTTL},
		func(ctx context.Context) (jetstream.KeyValue, error) { return js.KeyValue(ctx, stream.LeasesBucket) }, log)
	if err != nil {
		return nil, fmt.Errorf("lease of the store: %w", err)
	}
	return s, nil
}

// Run writes whenever it holds the lease, until ctx ends. The database or NATS
// being away is waited for.
func (s *Store) Run(ctx context.Context) error {
	return s.lease.Run(ctx, s.lead) //nolint:wrapcheck // lead returns none
}

// lead has one tenure: every kind by itself, so that none waits for another.
func (s *Store) lead(ctx context.Context) error {
	s.meter.writing(true)
	defer s.meter.writing(false)
	if !s.chooseBarTables(ctx) {
		return nil
	}
	// AppV2 asks for tables that have no row yet. One that does not fit is told
	// of when there is a row for it.
	for _, name := range append(slices.Sorted(maps.Values(s.barTables)), "intraday_patterns", "intraday_indicators", "streaming_health_metrics", "streaming_sessions") {
		if _, err := s.table(ctx, name); err != nil {
			s.meter.failed(name, err)
		}
	}
	group := errgroup.Group{}
	for _, f := range s.flows() {
		group.Go(func() error { // ends with ctx
			for ctx.Err() == nil {
				if err := f.run(ctx); ctx.Err() == nil {
					s.meter.failed(f.durable, err)
					s.log.Debug("not storing, trying again", "consumer", f.durable, "err", err)
					pause(ctx, 500*time.Millisecond)
				}
			}
			return nil
		})
	}
	return group.Wait() //nolint:wrapcheck // there is none
}

func (s *Store) flows() []*flow {
	return []*flow{
		{store: s, durable: "store_bars", stream: stream.Bars, filters: []string{stream.AllBars}, encode: s.barRow, batch: s.cfg.BatchRows},
		{store: s, durable: "store_indicators", stream: stream.Signals, filters: []string{stream.SignalsOf(event.KindIndicator)}, encode: s.indicatorRow, batch: s.cfg.BatchRows},
		{store: s, durable: "store_patterns", stream: stream.Signals, filters: []string{stream.SignalsOf(event.KindPattern)}, encode: s.patternRow, batch: s.cfg.BatchRows},
		{store: s, durable: "store_health", stream: stream.Health, filters: []string{stream.HealthStatus}, encode: s.healthRow, batch: s.cfg.BatchRows},
		// One by one: its two events fill one row.
		{store: s, durable: "store_sessions", stream: stream.Health, filters: []string{stream.SessionStarted, stream.SessionStopped}, encode: s.sessionRow, batch: 1},
	}
}

// chooseBarTables waits for the database to say which tables AppV2 has; false
// where ctx ended before.
func (s *Store) chooseBarTables(ctx context.Context) bool {
	for ctx.Err() == nil {
		var hourly bool
		err := s.pool.QueryRow(ctx, "select to_regclass('ohlcv_hourly') is not null").Scan(&hourly)
		if err == nil {
			hours := "ohlcv_60min"
			if hourly {
				hours = "ohlcv_hourly"
			}
			s.barTables = map[string]string{"1min": "ohlcv_1min", "5min": "ohlcv_5min", "15min": "ohlcv_15min", "60min": hours, "daily": "ohlcv_daily"}
			return true
		}
		s.meter.failed("database", err)
		pause(ctx, time.Second)
	}
	return false
}

func (s *Store) definition(name string) definition {
	switch name {
	case "intraday_patterns":
		return patternTable()
	case "intraday_indicators":
		return indicatorTable()
	case "streaming_health_metrics":
		return healthTable()
	case "streaming_sessions":
		return sessionTable()
	case "ohlcv_daily":
		return barTable(name, "date")
	default:
		return barTable(name, "timestamp")
	}
}

// table is the table of that name, made or fitted when it is first needed.
func (s *Store) table(ctx context.Context, name string) (*table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tables[name]; ok {
		return t, nil
	}
	var t *table
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return fmt.Errorf("wait for who makes tables: %w", err)
		}
		var err error
		t, err = s.definition(name).prepare(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("prepare table %s: %w", name, err)
	}
	s.tables[name] = t
	s.meter.fits(name)
	return t, nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
