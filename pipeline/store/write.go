package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// refused is the reason of rows that the database does not take.
const refused = "database"

// referencePatience is how often a row is tried whose session is not stored
// yet: sessions have a consumer of their own.
const referencePatience = 10

// errNotLeading is returned where the lease may be another's by now.
var errNotLeading = errors.New("the lease ran out")

// write stores rows of one table, or tries until ctx ends. Rows that the
// database refuses go to REJECTS.
func (s *Store) write(ctx context.Context, name string, rows []*row) error {
	rows = lastOfEach(rows)
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 50*time.Millisecond, 2*time.Second
	references := 0
	for {
		if !s.lease.Held() {
			return errNotLeading
		}
		t, err := s.table(ctx, name)
		if err == nil {
			err = s.transact(ctx, t, rows)
		}
		switch fault := faultOf(err); {
		case err == nil:
			s.confirm(t, rows)
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("store in %s: %w", name, err)
		case fault == ofTable:
			s.mu.Lock()
			delete(s.tables, name)
			s.mu.Unlock()
			if s.meter.skipped(name, err) {
				s.log.Error("a table cannot be filled, its rows wait", "table", name, "err", err)
			}
			pause(ctx, s.cfg.RetryMismatch)
		case fault == ofReference && references < referencePatience:
			references++
			pause(ctx, wait.NextBackOff())
		case fault == ofRow || fault == ofReference:
			if len(rows) == 1 {
				return s.refuse(ctx, rows[0], err)
			}
			// Halves, until the row is found that is at fault.
			if err := s.write(ctx, name, rows[:len(rows)/2]); err != nil {
				return err
			}
			rows = rows[len(rows)/2:]
		default:
			s.meter.failed(name, err)
			pause(ctx, wait.NextBackOff())
		}
	}
}

// lastOfEach leaves of rows that take each other's place the highest revision,
// and of that the last: one statement cannot write a row twice.
func lastOfEach(rows []*row) []*row {
	last := make(map[string]int, len(rows))
	for i, r := range rows {
		if before, ok := last[r.key]; !ok || rows[before].revision <= r.revision {
			last[r.key] = i
		}
	}
	kept := rows[:0:0]
	for i, r := range rows {
		if last[r.key] == i {
			kept = append(kept, r)
		}
	}
	return kept
}

// transact writes rows by one staging copy and one upsert.
func (s *Store) transact(ctx context.Context, t *table, rows []*row) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	names := make([]string, 0, len(t.fill)+1)
	for _, c := range t.fill {
		names = append(names, c.name)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, t.createStage()); err != nil {
			return fmt.Errorf("make the staging table: %w", err)
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{t.stage()}, append(slices.Clone(names), "tickstream_withdrawn"),
			pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
				values := make([]any, 0, len(names)+1)
				for _, name := range names {
					values = append(values, rows[i].values[name])
				}
				return append(values, rows[i].withdrawn), nil
			}))
		if err != nil {
			return fmt.Errorf("copy: %w", err)
		}
		for _, statement := range t.statements() {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("upsert: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store %d rows in %s: %w", len(rows), t.name, err)
	}
	return nil
}

// fault says whose fault an error is.
type fault int

const (
	ofServer    fault = iota // the database is away or busy: try again
	ofTable                  // the table does not fit, or we may not write it
	ofReference              // what a row refers to is not there
	ofRow
)

// faultOf reads the error's class (PostgreSQL's appendix A).
func faultOf(err error) fault {
	if _, ok := errors.AsType[*mismatchError](err); ok {
		return ofTable
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return ofServer
	case pg.Code == "23503": // foreign_key_violation
		return ofReference
	case strings.HasPrefix(pg.Code, "22"), strings.HasPrefix(pg.Code, "23"), pg.Code == "P0001": // data, integrity, a trigger's raise
		return ofRow
	case strings.HasPrefix(pg.Code, "42"), pg.Code == "0A000", pg.Code == "54000": // undefined, privilege, not supported
		return ofTable
	default:
		return ofServer
	}
}

// refuse puts a row into REJECTS with the error.
func (s *Store) refuse(ctx context.Context, r *row, because error) error {
	msg := nats.NewMsg(stream.RejectSubject(refused))
	msg.Data = r.payload
	detail := because.Error()
	if pg, ok := errors.AsType[*pgconn.PgError](because); ok {
		detail = fmt.Sprintf("table %s, column %s: %s (%s)", r.table, pg.ColumnName, pg.Message, pg.Code)
	}
	msg.Header.Set(nats.MsgIdHdr, r.id)
	msg.Header.Set(event.HeaderRejectReason, refused)
	msg.Header.Set(event.HeaderRejectDetail, strings.Map(printable, detail))
	msg.Header.Set(event.HeaderRejectSource, r.subject)
	msg.Header.Set(event.HeaderRejectReceivedAt, time.Now().UTC().Format(time.RFC3339Nano))
	publish, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if _, err := s.js.PublishMsg(publish, msg, jetstream.WithRetryAttempts(3)); err != nil {
		return fmt.Errorf("store a refused row in %s: %w", stream.Rejects, err)
	}
	s.meter.refused(r.table)
	return nil
}

func printable(c rune) rune {
	if !strconv.IsPrint(c) {
		return ' '
	}
	return c
}

// confirm tells of a stored batch.
func (s *Store) confirm(t *table, rows []*row) {
	s.meter.stored(t.name, len(rows))
	data, err := json.Marshal(event.NewPersistence(rows[len(rows)-1].sessionID, t.name, len(rows), time.Now()))
	if err == nil {
		err = s.nats.Publish(stream.Persistence, data)
	}
	if err != nil {
		s.log.Debug("a stored batch was not confirmed", "table", t.name, "err", err)
	}
}
