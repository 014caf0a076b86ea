package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// prepare adopts the table or makes it, and plans how to write it. Whatever it
// cannot use as it is, is left as it is. The caller holds the table's lock, so
// of several processes that start at once one makes it.
func prepare(ctx context.Context, conn *pgx.Conn, schema string, t *table) (p *plan, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '5s'"); err != nil {
			return fmt.Errorf("bound the wait for locks: %w", err)
		}
		f, err := adopt(ctx, tx, schema, t)
		if err != nil {
			return err
		}
		if p, err = newPlan(t, f); err != nil {
			return err
		}
		if !p.unique && !p.merges {
			return p.index(ctx, tx, t)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("prepare table %s: %w", t.names[len(t.names)-1], err)
	}
	return p, nil
}

// adopt finds the first of the table's names that exists, or makes the last.
func adopt(ctx context.Context, tx pgx.Tx, schema string, t *table) (*found, error) {
	for _, name := range t.names {
		if f, err := inspect(ctx, tx, schema, name, t.withdraws); f != nil || err != nil {
			return f, err
		}
	}
	name := t.names[len(t.names)-1]
	if err := create(ctx, tx, schema, name, t); err != nil {
		if denied(err) {
			return nil, unusable(name, "it is missing and tickstream's user may not make it: GRANT CREATE ON SCHEMA %s, or make the table (%v)",
				pgx.Identifier{schema}.Sanitize(), err)
		}
		return nil, err
	}
	f, err := inspect(ctx, tx, schema, name, t.withdraws)
	if err == nil && f == nil {
		err = unusable(name, "it was made and cannot be seen")
	}
	return f, err
}

func create(ctx context.Context, tx pgx.Tx, schema, name string, t *table) error {
	identifier := pgx.Identifier{schema, name}.Sanitize()
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+identifier+" (\n\t"+t.ddl+"\n)"); err != nil {
		return fmt.Errorf("make the table: %w", err)
	}
	for i, columns := range t.indexes {
		index := pgx.Identifier{fmt.Sprintf("%s_read%d", name, i+1)}.Sanitize()
		if _, err := tx.Exec(ctx, "CREATE INDEX IF NOT EXISTS "+index+" ON "+identifier+" "+columns); err != nil {
			return fmt.Errorf("make an index: %w", err)
		}
	}
	if t.hyper == "" {
		return nil
	}
	var timescale string
	err := tx.QueryRow(ctx, `SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
		WHERE e.extname = 'timescaledb'`).Scan(&timescale)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for TimescaleDB: %w", err)
	}
	_, err = tx.Exec(ctx, "SELECT "+pgx.Identifier{timescale, "create_hypertable"}.Sanitize()+"($1::text::regclass, $2::text::name, if_not_exists => true)",
		identifier, t.hyper)
	if err != nil {
		return fmt.Errorf("make a hypertable of the table: %w", err)
	}
	return nil
}

// index adds the unique index that an upsert needs. Where that cannot be (rows
// that are there twice, no right, a busy table) rows are written without it.
func (p *plan) index(ctx context.Context, tx pgx.Tx, t *table) error {
	columns := make([]string, len(p.keys))
	for i, name := range p.keys {
		columns[i] = pgx.Identifier{name}.Sanitize()
	}
	name := pgx.Identifier{p.table.name + "_tickstream"}.Sanitize()
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { // a savepoint
		_, err := tx.Exec(ctx, "CREATE UNIQUE INDEX IF NOT EXISTS "+name+" ON "+p.table.identifier()+" ("+strings.Join(columns, ", ")+")")
		return err
	})
	if _, refused := errors.AsType[*pgconn.PgError](err); refused {
		return nil
	}
	if err != nil {
		return fmt.Errorf("add a unique index: %w", err)
	}
	if err := p.table.readUnique(ctx, tx); err != nil {
		return err
	}
	p.chooseKeys(t)
	return nil
}

func denied(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "42501"
}
