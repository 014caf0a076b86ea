package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolConfig reads the URL of a database. A pool of it reads the certificates
// that the URL names anew at each connection, so that renewed ones are used
// without a restart. The error never holds the URL.
func PoolConfig(url string) (*pgxpool.Config, error) {
	pool, err := pgxpool.ParseConfig(url)
	if err != nil || url == "" {
		return nil, errors.New("database URL cannot be read: give postgres://user:password@host:port/database")
	}
	pool.BeforeConnect = func(_ context.Context, conn *pgx.ConnConfig) error {
		if conn.TLSConfig == nil {
			return nil
		}
		fresh, err := pgx.ParseConfig(url)
		if err != nil {
			return fmt.Errorf("read the certificates for the database anew: %w", err)
		}
		conn.TLSConfig, conn.Fallbacks = fresh.TLSConfig, fresh.Fallbacks
		return nil
	}
	return pool, nil
}
