package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/store"
)

const (
	databasePing    = 5 * time.Second
	databaseTooSlow = 2 * time.Second
)

// databaseWatch knows whether PostgreSQL answers.
type databaseWatch struct {
	pool  *pgxpool.Pool
	reach atomic.Pointer[observe.Reach]
}

// newDatabaseWatch reads the URL; it does not connect.
func newDatabaseWatch(ctx context.Context, url string) (*databaseWatch, error) {
	cfg, err := store.PoolConfig(url)
	if err != nil {
		return nil, errDatabaseURL
	}
	cfg.MaxConns = 1
	cfg.ConnConfig.ConnectTimeout = databaseTooSlow
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	w := &databaseWatch{pool: pool}
	w.reach.Store(&observe.Reach{OK: true, Since: time.Now()}) // until a ping says otherwise
	return w, nil
}

// now is whether the database answers, without asking it.
func (w *databaseWatch) now() observe.Reach { return *w.reach.Load() }

// run asks until ctx ends.
func (w *databaseWatch) run(ctx context.Context) error {
	defer w.pool.Close()
	ticker := time.NewTicker(databasePing)
	defer ticker.Stop()
	for {
		err := w.ping(ctx)
		if ctx.Err() != nil {
			return nil
		}
		before := w.now()
		if after := (observe.Reach{OK: err == nil, Since: time.Now()}); after.OK != before.OK || err != nil {
			if after.OK == before.OK {
				after.Since = before.Since
			}
			if err != nil {
				after.Err = strings.Join(strings.Fields(err.Error()), " ") // the driver puts each address on a line of its own
			}
			w.reach.Store(&after)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (w *databaseWatch) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTooSlow)
	defer cancel()
	return w.pool.Ping(ctx) //nolint:wrapcheck // shown as it is
}
