package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	laneRetryFirst = 100 * time.Millisecond
	laneRetryMost  = 5 * time.Second
)

// lane stores one table: one consumer, one connection, one goroutine.
type lane struct {
	cfg      Config
	table    table
	js       jetstream.JetStream
	log      *slog.Logger
	progress progress
	// orphaned is when rows began to wait for their session; zero for none.
	orphaned time.Time
}

func newLane(cfg Config, t table, js jetstream.JetStream, log *slog.Logger) *lane {
	name := t.names[len(t.names)-1]
	l := &lane{cfg: cfg, table: t, js: js, log: log.With("table", name, "consumer", t.consumer)}
	l.progress.Table, l.progress.Consumer = name, t.consumer
	return l
}

// run stores until ctx ends. Whatever goes wrong ends a session, drops what was
// in hand, and begins another one from what is acknowledged.
func (l *lane) run(ctx context.Context, pool *pgxpool.Pool) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = laneRetryFirst, laneRetryMost
	said := ""
	for {
		err := l.session(ctx, pool, func() { wait.Reset(); said = "" })
		if ctx.Err() != nil {
			l.progress.change(func(t *TableReport) { t.Error, t.Skipped = "", "" }) // it is another's now
			return nil
		}
		pause, why := wait.NextBackOff(), sentence(err)
		broken := errors.Is(err, ErrUnusable) || classify(err) == faultTable
		l.progress.change(func(t *TableReport) {
			t.Error, t.Skipped = why, ""
			if broken {
				t.Skipped = why
			}
		})
		if broken {
			pause = l.cfg.TableRetry
		}
		if why != said {
			l.log.Warn("not storing, trying again", "skipped", broken, "err", why)
			said = why
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// session is one life of the connection and the reader; it returns the error
// that ended it. began is called after each commit.
func (l *lane) session(ctx context.Context, pool *pgxpool.Pool, began func()) (err error) {
	pooled, err := acquire(ctx, pool)
	if err != nil {
		return err
	}
	defer hangUp(pooled)
	w, err := l.prepare(ctx, pooled.Conn())
	if err != nil {
		return err
	}
	r, err := open(ctx, l.js, &l.table, l.cfg.BatchSize)
	if err != nil {
		return err
	}
	defer r.messages.Stop()
	l.progress.change(func(t *TableReport) {
		t.Table, t.Error, t.Skipped, t.Unrevised = w.plan.table.name, "", "", !w.plan.revised && !w.plan.merges
	})
	for {
		b, err := l.collect(ctx, r)
		if err != nil {
			return err
		}
		if err := l.commit(ctx, w, b); err != nil {
			return err
		}
		began()
	}
}

func acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}

// hangUp closes a connection for good: the lock and the staging table go with
// it.
func hangUp(pooled *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = pooled.Hijack().Close(ctx) // the server ends what we could not
}

// prepare locks the table and finds out how to write it.
func (l *lane) prepare(ctx context.Context, conn *pgx.Conn) (*writer, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.WriteTimeout+2*lockPatience)
	defer cancel()
	// A writer that sleeps in a transaction must not hold rows for ever.
	if _, err := conn.Exec(ctx, fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", l.cfg.WriteTimeout.Milliseconds())); err != nil {
		return nil, fmt.Errorf("set up the connection: %w", err)
	}
	schema := l.cfg.Schema
	if schema == "" {
		if err := conn.QueryRow(ctx, "SELECT coalesce(current_schema(), 'public')").Scan(&schema); err != nil {
			return nil, fmt.Errorf("find the schema: %w", err)
		}
	}
	if err := lock(ctx, conn, schema+"."+l.table.names[0]); err != nil {
		return nil, err
	}
	p, err := prepare(ctx, conn, schema, &l.table)
	if err != nil {
		return nil, err
	}
	if len(p.left) > 0 {
		l.log.Warn("columns are of a type that cannot be filled", "columns", strings.Join(p.left, ", "))
	}
	return newWriter(ctx, conn, p)
}

// collect waits for a message and takes those that follow it within the flush
// interval.
func (l *lane) collect(ctx context.Context, r *reader) (*batch, error) {
	b := newBatch()
	if err := l.take(ctx, r.wait, b); err != nil {
		return nil, err
	}
	flush, cancel := context.WithTimeout(ctx, l.cfg.FlushInterval)
	defer cancel()
	for len(b.messages) < l.cfg.BatchSize {
		if err := l.take(flush, r.next, b); err != nil {
			if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				break
			}
			return nil, err
		}
	}
	return b, nil
}

// take adds the next message to the batch.
func (l *lane) take(ctx context.Context, next func(context.Context) (jetstream.Msg, uint64, bool, error), b *batch) error {
	msg, sequence, again, err := next(ctx)
	if err != nil {
		return err
	}
	b.messages = append(b.messages, msg)
	if again {
		return nil // it is in this batch already, or committed
	}
	row, err := l.read(msg)
	if err != nil {
		b.refused = append(b.refused, refusal{msg, err.Error()})
		return nil
	}
	row.sequence, row.message = sequence, msg
	b.add(row, l.table.merges, l.table.columns)
	return nil
}

// read decodes a message. The subject holds the symbol's true bytes, JSON only
// those that are UTF-8.
func (l *lane) read(msg jetstream.Msg) (record, error) {
	row, err := l.table.decode(msg.Data())
	if err != nil || row.symbol == "" {
		return row, err
	}
	subject := msg.Subject()
	symbol, err := stream.DecodeSymbol(subject[strings.LastIndexByte(subject, '.')+1:])
	if err == nil && symbol != row.symbol {
		err = fmt.Errorf("the subject's symbol is %q, the event's %q", symbol, row.symbol)
	}
	return row, err
}

// commit stores a batch, then says what was refused, then acknowledges: in this
// order nothing is lost wherever it stops, and doing it again changes nothing.
func (l *lane) commit(ctx context.Context, w *writer, b *batch) error {
	rows := b.sorted()
	done, err := l.write(ctx, w, rows)
	if err != nil {
		return err
	}
	for _, r := range done.refused {
		b.refused = append(b.refused, refusal{r.message, sentence(r.err)})
	}
	if err := reject(ctx, l.js, b.refused); err != nil {
		return err
	}
	if err := settle(ctx, b.messages); err != nil {
		return err
	}
	now := time.Now().UTC()
	l.progress.change(func(t *TableReport) {
		t.Rows += done.rows
		t.Refused += int64(len(b.refused))
		t.LastCommit, t.Error, t.Skipped = now, "", ""
	})
	if len(b.refused) > 0 {
		l.progress.change(func(t *TableReport) { t.LastRefusal = b.refused[0].detail })
		l.log.Warn("the database refuses events", "refused", len(b.refused), "of", len(b.messages), "err", b.refused[0].detail)
	}
	if done.rows > 0 {
		l.confirm(w.plan.table.name, rows[len(rows)-1].sessionID, done.rows, now)
	}
	return nil
}

func (l *lane) write(ctx context.Context, w *writer, rows []record) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.WriteTimeout)
	defer cancel()
	patient := l.orphaned.IsZero() || time.Since(l.orphaned) < l.cfg.ParentWait
	done, err := w.store(ctx, rows, patient)
	switch {
	case errors.Is(err, errParentMissing) && l.orphaned.IsZero():
		l.orphaned = time.Now()
	case err == nil && !done.parents:
		l.orphaned = time.Time{}
	}
	return done, err
}

// confirm tells whoever listens that rows are stored. Nobody has to.
func (l *lane) confirm(table, sessionID string, rows int64, now time.Time) {
	payload, err := json.Marshal(event.NewPersistence(sessionID, table, int(rows), now))
	if err == nil {
		err = l.js.Conn().Publish(stream.Persistence, payload)
	}
	if err != nil {
		l.log.Debug("stored, and could not say so", "err", err)
	}
}
