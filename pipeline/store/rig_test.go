package store_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/store"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

var (
	quiet   = slog.New(slog.DiscardHandler)
	session = "0b5f4a5e-7a0c-4f0e-9d57-1c1f5e5a9a01"
	open    = time.Date(2025, 10, 7, 13, 30, 0, 0, time.UTC)
)

// rig is a schema of the test's own, and streams.
type rig struct {
	*testing.T
	nats   *testbed.NATS
	js     jetstream.JetStream
	db     *pgx.Conn
	url    string
	schema string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	address := testbed.DatabaseURL(t)
	db, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, db: db, url: address, schema: "store_" + strings.ReplaceAll(uuid.NewString(), "-", "")}
	ctx := context.WithoutCancel(t.Context()) // the test's own has ended when clean-up runs
	t.Cleanup(func() {
		if _, err := db.Exec(ctx, "DROP SCHEMA IF EXISTS "+r.schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		if err := db.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	r.exec("CREATE SCHEMA " + r.schema + "; SET search_path = " + r.schema + "; SET timezone = 'UTC'")
	r.nats = testbed.StartNATS(t)
	r.js = r.nats.JetStream()
	if _, err := stream.Ensure(t.Context(), r.js, stream.Config{TicksMaxBytes: 64 << 20, RejectsMaxBytes: 64 << 20}, quiet); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.Helper()
	if _, err := r.db.Exec(r.Context(), sql, args...); err != nil {
		r.Fatalf("%s: %v", sql, err)
	}
}

// lines are the rows of a query as text, one a row.
func (r *rig) lines(sql string, args ...any) []string {
	r.Helper()
	rows, err := r.db.Query(r.Context(), "SELECT q::text FROM ("+sql+") q", args...)
	if err != nil {
		r.Fatalf("%s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.Fatalf("%s: %v", sql, err)
	}
	return lines
}

func (r *rig) want(sql string, want ...string) {
	r.Helper()
	if got := r.lines(sql); strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.Errorf("%s:\ngot  %s\nwant %s", sql, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// running is a store that runs.
type running struct {
	*store.Store
	stop func()
	log  *logBook
}

// start runs a store until the test ends or stop is called.
func (r *rig) start(changes ...func(*store.Config)) *running {
	r.Helper()
	return r.startOn(r.nats.JetStream(), changes...)
}

func (r *rig) startOn(js jetstream.JetStream, changes ...func(*store.Config)) *running {
	r.Helper()
	cfg := store.Config{
		URL: r.url, Schema: r.schema, Instance: uuid.NewString(),
		FlushInterval: 20 * time.Millisecond, TableRetry: 100 * time.Millisecond, ParentWait: 300 * time.Millisecond,
		BarTables: map[string][]string{"1min": {"ohlcv_1min"}},
	}
	for _, change := range changes {
		change(&cfg)
	}
	book := &logBook{}
	s, err := store.New(cfg, js, slog.New(slog.NewTextHandler(book, nil)))
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }() // ends with cancel
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("Run = %v, want nil on a clean stop", err)
		}
	})
	r.Cleanup(stop)
	return &running{Store: s, stop: stop, log: book}
}

// table is one table's part of the report.
func (s *running) table(consumer string) store.TableReport {
	for _, t := range s.Report().Tables {
		if t.Consumer == consumer {
			return t
		}
	}
	return store.TableReport{}
}

// stored waits until consumers have settled the last message that is theirs.
func (r *rig) stored(consumers ...string) {
	r.Helper()
	for _, name := range consumers {
		streamName, filter := stream.Bars, "tickstock.bars.1min.*"
		switch name {
		case store.IndicatorsConsumer:
			streamName, filter = stream.Signals, "tickstock.signals.indicator.*.*"
		case store.PatternsConsumer:
			streamName, filter = stream.Signals, "tickstock.signals.pattern.*.*"
		case store.HealthConsumer:
			streamName, filter = stream.Health, stream.HealthStatus
		case store.SessionsConsumer:
			streamName, filter = stream.Health, "tickstock.session.*"
		default:
			if timeframe, ok := strings.CutPrefix(name, "store_bars_"); ok {
				filter = "tickstock.bars." + timeframe + ".*"
			}
		}
		s, err := r.js.Stream(r.Context(), streamName)
		if err != nil {
			r.Fatal(err)
		}
		last, err := s.GetLastMsgForSubject(r.Context(), filter)
		if err != nil {
			r.Fatalf("last message of %s: %v", filter, err)
		}
		testbed.Eventually(r.T, 30*time.Second, name+" has stored all", func(ctx context.Context) bool {
			consumer, err := r.js.Consumer(ctx, streamName, name)
			return err == nil && consumer.CachedInfo().AckFloor.Stream >= last.Sequence
		})
	}
}

func (r *rig) publish(subject string, v any) {
	r.Helper()
	payload, ok := v.([]byte)
	if !ok {
		var err error
		if payload, err = json.Marshal(v); err != nil {
			r.Fatal(err)
		}
	}
	msg := nats.NewMsg(subject)
	msg.Data = payload
	if _, err := r.js.PublishMsg(r.Context(), msg); err != nil {
		r.Fatalf("publish %s: %v", subject, err)
	}
}

func dec(s string) tick.Decimal {
	d, err := tick.ParseDecimal([]byte(s))
	if err != nil {
		panic(err) // a literal of a test
	}
	return d
}

func shares(s string) exact.Quantity {
	var q exact.Quantity
	if err := q.UnmarshalJSON([]byte(s)); err != nil {
		panic(err) // a literal of a test
	}
	return q
}

// bar is a minute's bar that closes at close.
func bar(symbol string, minute int, revision uint32, close string) event.Bar {
	start := open.Add(time.Duration(minute) * time.Minute)
	b := event.NewBar(symbol, "1min", start, start.Add(time.Minute))
	b.Open, b.High, b.Low, b.Close = dec("187.4201"), dec("188"), dec("187"), dec(close)
	b.Volume, b.TickCount, b.SessionID, b.Revision = shares("1200.5"), 42, session, revision
	average := dec("187.123456789")
	b.VWAP = &average
	return b
}

func (r *rig) publishBar(b event.Bar) {
	r.Helper()
	r.publish(stream.BarSubject(b.Timeframe, b.Symbol), b)
}

func barKey(symbol string, minute int) event.BarKey {
	start := open.Add(time.Duration(minute) * time.Minute)
	return event.BarKey{Symbol: symbol, Timeframe: "1min", Start: event.At(start), End: event.At(start.Add(time.Minute))}
}

func indicator(name, symbol string, minute int, revision uint32, value float64) event.Indicator {
	return event.Indicator{
		Type: "indicator", Indicator: name, BarKey: barKey(symbol, minute), Value: value,
		Values: map[string]float64{"value": value, "other": 1.5}, Parameters: map[string]any{"period": 14},
		SessionID: session, Revision: revision, Sequence: 7,
	}
}

func (r *rig) publishIndicator(i event.Indicator) {
	r.Helper()
	r.publish(stream.SignalSubject(event.KindIndicator, i.Indicator, i.Symbol), i)
}

func pattern(name, symbol string, minute int, revision uint32, confidence float64) event.Pattern {
	return event.Pattern{
		Type: "pattern", Pattern: name, BarKey: barKey(symbol, minute), Score: 100, Confidence: confidence, Direction: "bullish",
		Parameters: map[string]any{"body": 0.1}, Open: dec("1.5"), High: dec("2"), Low: dec("1"), Close: dec("1.5"),
		Volume: shares("2.5"), SessionID: session, Revision: revision, Sequence: 9,
	}
}

func (r *rig) publishPattern(p event.Pattern) {
	r.Helper()
	r.publish(stream.SignalSubject(event.KindPattern, p.Pattern, p.Symbol), p)
}

// rejects are the messages of REJECTS, in order.
func (r *rig) rejects() []*jetstream.RawStreamMsg {
	r.Helper()
	s, err := r.js.Stream(r.Context(), stream.Rejects)
	if err != nil {
		r.Fatal(err)
	}
	state := s.CachedInfo().State
	var all []*jetstream.RawStreamMsg
	for sequence := state.FirstSeq; state.Msgs > 0 && sequence <= state.LastSeq; sequence++ {
		msg, err := s.GetMsg(r.Context(), sequence)
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, msg)
	}
	return all
}

// proxied is the database URL through a proxy that the test can break.
func (r *rig) proxied() (*testbed.Proxy, string) {
	r.Helper()
	parsed, err := url.Parse(r.url)
	if err != nil || parsed.Host == "" {
		r.Fatalf("the database URL must name a host: %v", err)
	}
	if parsed.Port() == "" {
		parsed.Host += ":5432"
	}
	proxy := testbed.StartProxy(r.T, parsed.Host)
	parsed.Host = proxy.Addr()
	return proxy, parsed.String()
}

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBook) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
