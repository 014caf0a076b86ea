package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/store"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/tick"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	begin = time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)
)

const session = "0b0a4a4e-6c35-4b7e-9a5d-0a8a5d1c2f11"

type bed struct {
	*testing.T
	*testbed.Database
	js jetstream.JetStream
	nc *nats.Conn
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, Database: testbed.StartDatabase(t)}
	b.nc = testbed.StartNATS(t).Connect()
	var err error
	if b.js, err = jetstream.New(b.nc); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Ensure(t.Context(), b.js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	return b
}

// start runs a store on the database at url and returns it with what stops it.
func (b *bed) start(instance, url string) (*store.Store, func()) {
	b.Helper()
	pool, err := store.Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.New(store.Config{Instance: instance, RetryMismatch: 50 * time.Millisecond}, pool, b.nc, b.js, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }() // ends with stop
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		pool.Close()
	})
	b.Cleanup(stop)
	return s, stop
}

func (b *bed) publish(subject string, value any) {
	b.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.js.Publish(b.Context(), subject, data); err != nil {
		b.Fatal(err)
	}
}

func (b *bed) bar(symbol, timeframe string, minute int, closed float64, revision uint32) {
	b.Helper()
	start := begin.Add(time.Duration(minute) * time.Minute)
	e := event.NewBar(symbol, timeframe, start, start.Add(time.Minute))
	e.Open, e.High, e.Low = 10*tick.One, 20*tick.One, 5*tick.One
	e.Close, _ = tick.DecimalFromFloat(closed)
	e.Volume.Add(25 * tick.One / 10)
	e.VWAP, e.TickCount, e.SessionID, e.Revision = &e.Close, 3, session, revision
	b.publish(stream.BarSubject(timeframe, symbol), e)
}

func barKey(symbol string, minute int) event.BarKey {
	start := begin.Add(time.Duration(minute) * time.Minute)
	return event.BarKey{Symbol: symbol, Timeframe: "1min", Start: event.At(start), End: event.At(start.Add(time.Minute))}
}

func (b *bed) indicator(symbol string, minute int, value float64, revision uint32, withdrawn bool) {
	b.Helper()
	b.publish(stream.SignalSubject(event.KindIndicator, "RSI", symbol), event.Indicator{
		Type: "indicator", Indicator: "RSI", BarKey: barKey(symbol, minute), Value: value, Values: map[string]float64{"value": value},
		Parameters: map[string]any{"period": 14}, SessionID: session, Revision: revision, Withdrawn: withdrawn,
	})
}

func (b *bed) pattern(symbol string, minute int, confidence float64, revision uint32, withdrawn bool) {
	b.Helper()
	p := event.Pattern{
		Type: "pattern", Pattern: "Doji", BarKey: barKey(symbol, minute), Score: 100, Confidence: confidence, Direction: "neutral",
		Open: tick.One, High: 2 * tick.One, Low: tick.One, Close: tick.One, SessionID: session, Revision: revision, Withdrawn: withdrawn,
	}
	b.publish(stream.SignalSubject(event.KindPattern, "Doji", symbol), p)
}

func (b *bed) becomes(want, sql string, args ...any) {
	b.Helper()
	ok := false
	defer func() {
		if !ok {
			b.Logf("%s is %q, want %q", sql, b.Text(sql, args...), want)
		}
	}()
	testbed.Eventually(b, 20*time.Second, sql+" gives "+want, func(context.Context) bool { return b.Text(sql, args...) == want })
	ok = true
}

func TestEmptyDatabaseIsFilled(t *testing.T) {
	b := newBed(t)
	confirmations, err := b.nc.SubscribeSync(stream.Persistence)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := b.start("one", b.URL)
	b.publish(stream.SessionStarted, event.NewSessionStarted(event.Session{SessionID: session, Universe: "market_leaders:top_500", StartedAt: event.At(begin), SymbolCount: 60}, begin))
	for i, timeframe := range []string{"1min", "5min", "15min", "60min", "daily"} {
		b.bar("BRK.B", timeframe, i, 12.345678901, 0)
	}
	b.indicator("BRK.B", 0, 70.123456789012345, 0, false)
	b.pattern("BRK.B", 0, 0.875, 0, false)
	h := event.StreamingHealth{Type: "streaming_health", Health: event.Health{SessionID: session, Status: "healthy", ActiveSymbols: 60, TicksPerSecond: 15.2, Issues: []string{"a"}}, Timestamp: event.At(begin)}
	b.publish(stream.HealthStatus, h)
	b.publish(stream.SessionStopped, event.NewSessionStopped(event.SessionEnd{SessionID: session, StoppedAt: event.At(begin.Add(time.Hour)), TotalPatterns: 5, FinalStatus: event.FinalCompleted}, begin))

	b.becomes("12.345678901 2 3 0", "select close || ' ' || volume || ' ' || tick_count || ' ' || revision from ohlcv_1min where symbol = 'BRK.B' and timestamp = $1", begin)
	b.becomes("1 1 1", "select (select count(*) from ohlcv_5min) || ' ' || (select count(*) from ohlcv_15min) || ' ' || (select count(*) from ohlcv_60min)")
	b.becomes("2026-03-03", "select date::text from ohlcv_daily")
	b.becomes("70.12345678901235 RSI RSI 14", "select value || ' ' || indicator_name || ' ' || indicator || ' ' || (parameters->>'period') from intraday_indicators where indicator_type = 'RSI' and value > 70")
	b.becomes("0.875 Doji "+event.SignalID(event.KindPattern, "Doji", "BRK.B", "1min", begin).String(), "select confidence || ' ' || pattern_type || ' ' || (metadata->>'pattern_id') from intraday_patterns where detection_timestamp = detected_at and expiration_timestamp > detected_at")
	b.becomes("healthy 60 15.2 a", "select status || ' ' || active_symbols || ' ' || ticks_per_second || ' ' || (issues->>0) from streaming_health_metrics")
	b.becomes("market_leaders:top_500 60 5 completed", "select universe || ' ' || symbol_count || ' ' || total_patterns || ' ' || final_status from streaming_sessions where stopped_at > started_at")
	msg, err := confirmations.NextMsg(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	testbed.CheckEvent(t, schema.Persistence, msg.Data)
	if r := s.Report(); !r.Active || r.Rows["ohlcv_1min"] != 1 || len(r.Skipped) > 0 || r.Error != "" {
		t.Errorf("reported %+v", r)
	}
}

// Tables as AppV2's generations made them are filled as they are.
func TestExistingTablesAreFilledAsTheyAre(t *testing.T) {
	for name, c := range map[string]struct{ create, value, want string }{
		"without time zone, with id": {
			`create table ohlcv_1min (id serial primary key, symbol varchar(20) not null, timestamp timestamp not null, open numeric(12,4), high numeric(12,4), low numeric(12,4), close numeric(12,4), volume bigint, transactions int, unique (symbol, timestamp))`,
			`select close || ' ' || volume || ' ' || transactions || ' ' || timestamp from ohlcv_1min`, "12.3457 2 3 2026-03-02 14:30:00",
		},
		"with time zone, without a unique index": {
			`create table ohlcv_1min (symbol varchar(20) not null, timestamp timestamptz not null, open numeric(12,4), high numeric(12,4), low numeric(12,4), close numeric(12,4), volume bigint, source varchar(5) not null default 'x')`,
			`select close || ' ' || volume || ' ' || source || ' ' || count(*) over () from ohlcv_1min`, "12.3457 2 x 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.Exec(c.create)
			b.start("one", b.URL)
			b.bar("AAPL", "1min", 0, 99, 0)
			b.becomes("99.0000", "select close::text from ohlcv_1min")
			b.bar("AAPL", "1min", 0, 12.345678901, 1)
			b.becomes(c.want, c.value)
		})
	}
	t.Run("one generation's names", func(t *testing.T) {
		b := newBed(t)
		b.Exec(`create table intraday_indicators (id serial primary key, session_id varchar(50), symbol varchar(20), indicator_name varchar(50), value double precision, value_data jsonb, calculation_timestamp timestamptz, timeframe varchar(10))`)
		b.Exec(`create table intraday_patterns (id serial primary key, session_id uuid, symbol varchar(20), pattern_type varchar(50), confidence numeric(5,3), detection_timestamp timestamptz, timeframe varchar(10), levels text)`)
		b.start("one", b.URL)
		b.indicator("AAPL", 0, 71.5, 0, false)
		b.indicator("AAPL", 0, 72.5, 1, false)
		b.pattern("AAPL", 0, 0.5, 0, false)
		b.becomes("72.5 RSI 1", "select value || ' ' || indicator_name || ' ' || count(*) over () from intraday_indicators")
		b.becomes("0.500 1", "select confidence || ' ' || count(*) over () from intraday_patterns where levels like '%high%'")
		b.pattern("AAPL", 0, 0.5, 1, true)
		b.becomes("0", "select count(*)::text from intraday_patterns")
	})
}

func TestTableThatDoesNotFitIsNamedAndTheOthersGoOn(t *testing.T) {
	for _, c := range []struct{ create, says string }{
		{`create table ohlcv_1min (symbol varchar(20), timestamp text, close numeric)`, "table ohlcv_1min does not fit: column timestamp is text"},
		{`create table ohlcv_1min (ticker varchar(20), timestamp timestamptz, close numeric)`, "table ohlcv_1min does not fit: column symbol is missing"},
		{`create table ohlcv_1min (symbol varchar(20), timestamp timestamptz, close numeric, exchange int not null)`, "table ohlcv_1min does not fit: column exchange must be given"},
	} {
		b := newBed(t)
		b.Exec(c.create)
		s, _ := b.start("one", b.URL)
		b.indicator("AAPL", 0, 1, 0, false)
		b.bar("AAPL", "1min", 0, 12, 0)
		b.becomes("1", "select count(*)::text from intraday_indicators")
		testbed.Eventually(t, 10*time.Second, "the table is told of", func(context.Context) bool { return strings.Contains(s.Report().Skipped["ohlcv_1min"], c.says) })
		b.Exec("drop table ohlcv_1min")
		b.becomes("12", "select close::text from ohlcv_1min")
		if skipped := s.Report().Skipped; len(skipped) > 0 {
			t.Errorf("still told of: %v", skipped)
		}
	}
}

func TestRevisions(t *testing.T) {
	b := newBed(t)
	_, stop := b.start("one", b.URL)
	b.indicator("A", 0, 1, 0, false)
	b.indicator("A", 0, 2, 1, false)
	b.indicator("A", 0, 1, 0, false) // again, and late
	b.indicator("B", 0, 5, 0, false)
	b.indicator("B", 0, 5, 1, true)
	b.indicator("end", 0, 0, 0, false)
	b.becomes("1", "select count(*)::text from intraday_indicators where symbol = 'end'")
	if got := b.Text("select string_agg(symbol || value, ' ' order by symbol) from intraday_indicators"); got != "A2 end0" {
		t.Errorf("stored %s", got)
	}
	stop()
	// All of it again, as after a lost consumer.
	if err := b.js.DeleteConsumer(t.Context(), stream.Signals, "store_indicators"); err != nil {
		t.Fatal(err)
	}
	b.start("two", b.URL)
	b.indicator("again", 0, 0, 0, false)
	b.becomes("1", "select count(*)::text from intraday_indicators where symbol = 'again'")
	if got := b.Text("select string_agg(symbol || value, ' ' order by symbol) from intraday_indicators"); got != "A2 again0 end0" {
		t.Errorf("stored %s", got)
	}
}

// Rows that the database refuses go to REJECTS with its reason; all others of
// their batch are stored.
func TestRefusedRowsDoNotHoldTheOthers(t *testing.T) {
	b := newBed(t)
	b.Exec(`create table ohlcv_1min (symbol varchar(6) not null, timestamp timestamptz not null, open numeric, high numeric, low numeric, close numeric(6,2), volume bigint, unique (symbol, timestamp))`)
	for i := range 1000 {
		b.bar("A", "1min", i, 12, 0)
	}
	b.bar("TOOLONGNAME", "1min", 0, 12, 0)
	b.bar("BIG", "1min", 0, 99999.5, 0)
	b.bar("NUL\x00", "1min", 0, 12, 0)
	if _, err := b.js.Publish(t.Context(), stream.BarSubject("1min", "X"), []byte("no event")); err != nil {
		t.Fatal(err)
	}
	s, _ := b.start("one", b.URL)
	b.becomes("1000", "select count(*)::text from ohlcv_1min")
	testbed.Eventually(t, 20*time.Second, "four are refused", func(ctx context.Context) bool {
		rejects, err := b.js.Stream(ctx, stream.Rejects)
		return err == nil && rejects.CachedInfo().State.Msgs == 4
	})
	rejects, err := b.js.Stream(t.Context(), stream.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	details := ""
	for seq := range uint64(4) {
		msg, err := rejects.GetMsg(t.Context(), seq+1)
		if err != nil {
			t.Fatal(err)
		}
		details += msg.Header.Get(event.HeaderRejectDetail) + "\n"
	}
	for _, part := range []string{"value too long", "numeric field overflow", "invalid byte sequence", "read event"} {
		if !strings.Contains(details, part) {
			t.Errorf("no reject tells of %q:\n%s", part, details)
		}
	}
	if r := s.Report(); r.Refused["ohlcv_1min"] != 3 {
		t.Errorf("refused %v", r.Refused)
	}
}

// While the database is away rows wait; none is lost.
func TestRowsOutliveTheDatabase(t *testing.T) {
	b := newBed(t)
	proxy := testbed.StartProxy(t, b.Address)
	s, _ := b.start("one", b.Through(proxy.Addr()))
	b.bar("A", "1min", 0, 1, 0)
	b.becomes("1", "select count(*)::text from ohlcv_1min")
	for round := range 3 {
		proxy.Cut()
		for i := range 300 {
			b.bar("A", "1min", 1+round*300+i, 1, 0)
		}
		testbed.Eventually(t, 20*time.Second, "the store notices", func(context.Context) bool { return s.Report().Error != "" })
		proxy.Restore()
		b.becomes(fmt.Sprint(1+(round+1)*300), "select count(*)::text from ohlcv_1min")
	}
}

func TestOneWritesAndAnotherTakesOver(t *testing.T) {
	b := newBed(t)
	first, stop := b.start("one", b.URL)
	testbed.Eventually(t, 10*time.Second, "the first writes", func(context.Context) bool { return first.Report().Active })
	second, _ := b.start("two", b.URL)
	b.bar("A", "1min", 0, 1, 0)
	b.becomes("1", "select count(*)::text from ohlcv_1min")
	if second.Report().Active {
		t.Error("both write")
	}
	stop()
	b.bar("A", "1min", 1, 1, 0)
	b.becomes("2", "select count(*)::text from ohlcv_1min")
	if !second.Report().Active {
		t.Error("the second does not write")
	}
}
