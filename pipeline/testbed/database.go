package testbed

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// DatabaseEnv names the variable with the URL of a PostgreSQL in which schemas
// may be made.
const DatabaseEnv = "TICKSTREAM_TEST_DATABASE_URL"

// Database is a schema of a real PostgreSQL for one test.
type Database struct {
	// URL leads into the schema.
	URL string
	// Address is where the server listens.
	Address string
	Pool    *pgxpool.Pool
	tb      testing.TB
}

// DatabaseURL is what [DatabaseEnv] names; the test is skipped where it is not
// set.
func DatabaseURL(tb testing.TB) string {
	tb.Helper()
	address := os.Getenv(DatabaseEnv)
	if address == "" {
		tb.Skip("needs " + DatabaseEnv + ": a PostgreSQL in which schemas may be made")
	}
	return address
}

// StartDatabase makes a schema of the test's own, or skips the test where
// [DatabaseEnv] is not set.
func StartDatabase(tb testing.TB) *Database {
	tb.Helper()
	parsed, err := url.Parse(DatabaseURL(tb))
	if err != nil {
		tb.Fatalf("parse database url: %v", err)
	}
	schema := "test_" + strings.ToLower(rand.Text()[:12])
	query := parsed.Query()
	query.Set("search_path", schema)
	parsed.RawQuery = query.Encode()
	d := &Database{URL: parsed.String(), Address: parsed.Host, tb: tb}
	if d.Pool, err = pgxpool.New(tb.Context(), d.URL); err != nil {
		tb.Fatalf("open the database: %v", err)
	}
	d.Exec("create schema " + schema)
	tb.Cleanup(func() {
		if _, err := d.Pool.Exec(context.Background(), "drop schema "+schema+" cascade"); err != nil {
			tb.Errorf("drop the schema: %v", err)
		}
		d.Pool.Close()
	})
	return d
}

// Through is the URL by way of another address, such as a [Proxy]'s.
func (d *Database) Through(address string) string {
	return strings.Replace(d.URL, "@"+d.Address, "@"+address, 1)
}

// Exec runs a statement.
func (d *Database) Exec(sql string, args ...any) {
	d.tb.Helper()
	if _, err := d.Pool.Exec(d.tb.Context(), sql, args...); err != nil {
		d.tb.Fatalf("%s: %v", sql, err)
	}
}

// Text is the single value of a query, as text; empty for null or no row.
func (d *Database) Text(sql string, args ...any) string {
	var value *string
	if err := d.Pool.QueryRow(d.tb.Context(), sql, args...).Scan(&value); err != nil || value == nil {
		return ""
	}
	return *value
}
