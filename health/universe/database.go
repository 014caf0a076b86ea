package universe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Querier is what [Load] needs of a database: *pgx.Conn and *pgxpool.Pool have
// it. Only SELECT is ever sent, on cache_entries alone.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

var _ Querier = (*pgx.Conn)(nil)

// maxListed bounds the keys that a miss lists, and the rows of one key.
const maxListed = 20

// rowTypes are the types of cache_entries that hold universes, in the order in
// which they are preferred.
var rowTypes = []string{"stock_etf_combo", "stock_universe", "etf_universe", "themes"}

// Of a value a little more than may be is read, so that [Parse] refuses it.
// Casting the row to jsonb reads a column that may not exist, casting the value
// to text takes both of its column types.
const (
	selectValues = `
SELECT c.type::text AS type,
       coalesce(to_jsonb(c)->>'environment', '') AS environment,
       coalesce(left(c.value::text, $4), '') AS value
FROM cache_entries c
WHERE c.type::text = ANY($1::text[])
  AND (c.name || ':' || c.key = $2 OR c.name || '_' || c.key = $2)
  AND ($3 = '' OR coalesce(to_jsonb(c)->>'environment', $3) = $3)
ORDER BY array_position($1::text[], c.type::text), environment, c.name, c.key, value
LIMIT $5`

	selectKeys = `
SELECT k, count(*) OVER () AS total
FROM (SELECT DISTINCT c.name || ':' || c.key AS k
      FROM cache_entries c
      WHERE c.type::text = ANY($1::text[])
        AND ($2 = '' OR coalesce(to_jsonb(c)->>'environment', $2) = $2)) keys
WHERE k IS NOT NULL
ORDER BY k
LIMIT $3`
)

// cacheRow is one row that matches the key.
type cacheRow struct{ Type, Environment, Value string }

// find looks the key up. Of several rows the first readable one counts, in the
// order of rowTypes; the others are said.
func find(ctx context.Context, cfg Config, db Querier, log *slog.Logger) (loaded, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	rows, err := db.Query(ctx, selectValues, rowTypes, cfg.Key, cfg.Environment, maxBytes+1, maxListed)
	if err != nil {
		return loaded{}, fmt.Errorf("query cache_entries: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[cacheRow])
	if err != nil {
		return loaded{}, fmt.Errorf("query cache_entries: %w", err)
	}
	if len(found) == 0 {
		return loaded{}, missing(ctx, cfg, db)
	}
	var refused []error
	for _, row := range found {
		symbols, skipped, err := Parse([]byte(row.Value))
		if err != nil {
			refused = append(refused, fmt.Errorf("type %s: %w", row.Type, err))
			continue
		}
		if len(found) > 1 {
			log.Warn("Several rows of cache_entries match the universe key, using one",
				"key", cfg.Key, "rows", len(found), "type", row.Type, "environment", row.Environment)
		}
		if len(refused) > 0 {
			log.Warn("Rows of cache_entries before the one in use are unreadable",
				"key", cfg.Key, "rows", len(refused), "err", errors.Join(refused...))
		}
		return loaded{Universe{Key: cfg.Key, Symbols: symbols, Origin: OriginDatabase}, skipped}, nil
	}
	return loaded{}, fmt.Errorf("key %s in cache_entries: %w", cfg.Key, errors.Join(refused...))
}

// missing is the error for a key that no row has: it lists those that exist.
func missing(ctx context.Context, cfg Config, db Querier) error {
	rows, err := db.Query(ctx, selectKeys, rowTypes, cfg.Environment, maxListed)
	if err != nil {
		return fmt.Errorf("list the keys of cache_entries: %w", err)
	}
	var key string
	var keys []string
	var total int
	if _, err := pgx.ForEachRow(rows, []any{&key, &total}, func() error {
		keys = append(keys, key)
		return nil
	}); err != nil {
		return fmt.Errorf("list the keys of cache_entries: %w", err)
	}
	if total == 0 {
		return fmt.Errorf("no row of cache_entries has the key %s, nor is there any other universe (types %s)",
			cfg.Key, strings.Join(rowTypes, ", "))
	}
	list := strings.Join(keys, ", ")
	if total > len(keys) {
		list += fmt.Sprintf(" and %d more", total-len(keys))
	}
	return fmt.Errorf("no row of cache_entries has the key %s; these exist: %s", cfg.Key, list)
}
