package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// errParentMissing is returned by [writer.store] for rows that refer to a
// session which the database does not know yet.
var errParentMissing = errors.New("rows refer to a session that the database does not know yet")

// writer writes batches of one plan over one connection.
type writer struct {
	conn       *pgx.Conn
	plan       *plan
	statements statements
}

func newWriter(ctx context.Context, conn *pgx.Conn, p *plan) (*writer, error) {
	w := &writer{conn: conn, plan: p, statements: p.statements()}
	if _, err := conn.Exec(ctx, w.statements.makeStage); err != nil {
		return nil, fmt.Errorf("make the staging table: %w", err)
	}
	return w, nil
}

// refusedRow is a row that the database refuses, and why.
type refusedRow struct {
	record
	err error
}

// result is what a transaction did.
type result struct {
	rows    int64
	refused []refusedRow
	parents bool // rows wait for their session, or were refused for want of it
}

// store writes rows in one transaction and returns those that the database
// refuses. Rows without their session are [errParentMissing] while patient.
func (w *writer) store(ctx context.Context, rows []record, patient bool) (result, error) {
	var done result
	err := pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		// A deferred constraint would show at the commit, and name no row.
		if _, err := tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
			return fmt.Errorf("set constraints immediate: %w", err)
		}
		return w.divide(ctx, tx, rows, patient, &done)
	})
	if err != nil {
		return result{}, fmt.Errorf("store %d rows in %s: %w", len(rows), w.plan.table.name, err)
	}
	return done, nil
}

// divide writes rows under a savepoint; where a row is at fault it halves them
// until that row is alone.
func (w *writer) divide(ctx context.Context, tx pgx.Tx, rows []record, patient bool, done *result) error {
	if len(rows) == 0 {
		return nil
	}
	var written int64
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
		written, err = w.write(ctx, tx, rows)
		return err
	})
	if err == nil {
		done.rows += written
		return nil
	}
	switch classify(err) {
	case faultParent:
		done.parents = true
		if patient {
			return fmt.Errorf("%w: %w", errParentMissing, err)
		}
	case faultRow:
	default:
		return err
	}
	if len(rows) == 1 {
		done.refused = append(done.refused, refusedRow{rows[0], err})
		return nil
	}
	half := len(rows) / 2
	if err := w.divide(ctx, tx, rows[:half], patient, done); err != nil {
		return err
	}
	return w.divide(ctx, tx, rows[half:], patient, done)
}

func (w *writer) write(ctx context.Context, tx pgx.Tx, rows []record) (written int64, err error) {
	if _, err := tx.Exec(ctx, "DELETE FROM pg_temp."+stage); err != nil {
		return 0, fmt.Errorf("empty the staging table: %w", err)
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", stage}, w.statements.columns,
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) { return w.plan.row(i, &rows[i]), nil }))
	if err != nil {
		return 0, fmt.Errorf("copy to the staging table: %w", err)
	}
	for _, sql := range w.statements.write {
		tag, err := tx.Exec(ctx, sql)
		if err != nil {
			return 0, fmt.Errorf("write: %w", err)
		}
		written += tag.RowsAffected()
	}
	return written, nil
}

const (
	lockKey  = `hashtextextended('tickstream.store ' || $1, 0)`
	tryLock  = `SELECT pg_try_advisory_lock(` + lockKey + `)`
	takeLock = `
SELECT count(pg_terminate_backend(l.pid))
FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((l.classid::bigint << 32) | l.objid::bigint) = ` + lockKey
	lockPoll     = 100 * time.Millisecond
	lockPatience = 2 * time.Second
)

// lock fences: whoever writes a table holds its lock on the very connection
// that it writes with, so a writer that lost its lease in its sleep cannot go
// on when it wakes. The lease says who should write; a session that holds the
// lock for longer than a lost lease can go unnoticed is ended.
func lock(ctx context.Context, conn *pgx.Conn, name string) error {
	patience := time.Now().Add(lockPatience)
	for ended := false; ; {
		var held bool
		if err := conn.QueryRow(ctx, tryLock, name).Scan(&held); err != nil {
			return fmt.Errorf("take the lock of %s: %w", name, err)
		}
		if held {
			return nil
		}
		if time.Now().After(patience) {
			if ended {
				return fmt.Errorf("take the lock of %s: another session holds it", name)
			}
			if _, err := conn.Exec(ctx, takeLock, name); err != nil {
				return fmt.Errorf("end the session that holds the lock of %s: %w", name, err)
			}
			ended, patience = true, time.Now().Add(lockPatience)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("take the lock of %s: %w", name, ctx.Err())
		case <-time.After(lockPoll):
		}
	}
}
