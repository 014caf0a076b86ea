package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/store"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestRefusedRowsAmongGoodOnes(t *testing.T) {
	r := newRig(t)
	r.exec(`CREATE TABLE ohlcv_1min (symbol varchar(8) NOT NULL, "timestamp" timestamptz NOT NULL, open numeric(12,4), high numeric(12,4),
		low numeric(12,4), close numeric(12,4), volume bigint, UNIQUE (symbol, "timestamp"))`)
	bad := map[int]struct {
		b    event.Bar
		says string
	}{
		100: {bar("OVERFLOW", 0, 0, "123456789.5"), "numeric field overflow"},
		500: {bar("TOOLONGSYMBOL", 0, 0, "1"), "value too long"},
		501: {bar("A\x00B", 0, 0, "1"), "invalid byte sequence"},
		999: {bar("A\xff", 0, 0, "1"), "the subject's symbol is"},
	}
	for i := range 1000 {
		if b, ok := bad[i]; ok {
			r.publishBar(b.b)
			continue
		}
		r.publishBar(bar(fmt.Sprintf("S%d", i), 0, 0, "1.5"))
	}
	r.publish(stream.BarSubject("1min", "X"), []byte("not json"))
	r.publish(stream.BarSubject("1min", "X"), []byte(`{"type":"bar","timeframe":"1min"}`))
	r.publish(stream.BarSubject("1min", "X"), []byte(`{"type":"other"}`))
	s := r.start()
	r.stored("store_bars")
	r.want("SELECT count(*) FROM ohlcv_1min", "(996)")
	testbed.Eventually(t, 5*time.Second, "the refused are counted", func(context.Context) bool { return s.Report().Refused == 7 })
	rejects := r.rejects()
	if len(rejects) != 7 {
		t.Fatalf("%d rejects, want 7", len(rejects))
	}
	for _, want := range bad {
		found := 0
		for _, msg := range rejects {
			if strings.Contains(msg.Header.Get(event.HeaderRejectSource), " "+stream.BarSubject("1min", want.b.Symbol)) {
				found++
				if !strings.Contains(msg.Header.Get(event.HeaderRejectDetail), want.says) || msg.Subject != stream.RejectSubject("database") ||
					msg.Header.Get(event.HeaderRejectReason) != "database" || !strings.HasPrefix(msg.Header.Get(nats.MsgIdHdr), "database-BARS-") ||
					!strings.Contains(string(msg.Data), `"type":"bar"`) {
					t.Errorf("reject of %q is %s %v %s", want.b.Symbol, msg.Subject, msg.Header, msg.Data)
				}
			}
		}
		if found != 1 {
			t.Errorf("%d rejects of %q, want 1", found, want.b.Symbol)
		}
	}

	// Read again, nothing is stored or rejected twice.
	s.stop()
	if err := r.js.DeleteConsumer(t.Context(), stream.Bars, "store_bars"); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.stored("store_bars")
	r.want("SELECT count(*) FROM ohlcv_1min", "(996)")
	if n := len(r.rejects()); n != 7 {
		t.Errorf("%d rejects after reading again, want 7", n)
	}
}

func TestRowsWaitForTheirSession(t *testing.T) {
	r := newRig(t)
	r.exec("CREATE TABLE streaming_sessions (session_id uuid PRIMARY KEY, universe text NOT NULL, started_at timestamptz NOT NULL)")
	r.exec(`CREATE TABLE intraday_patterns (symbol text, pattern_type text, timeframe text, detected_at timestamptz, confidence float8,
		session_id uuid REFERENCES streaming_sessions DEFERRABLE INITIALLY DEFERRED, UNIQUE (symbol, pattern_type, timeframe, detected_at))`)
	r.start(func(c *store.Config) { c.ParentWait = 2 * time.Second })
	orphan := pattern("Doji", "AAPL", 0, 0, 0.5)
	orphan.SessionID = "0b5f4a5e-7a0c-4f0e-9d57-1c1f5e5a9a09"
	r.publishPattern(pattern("Doji", "MSFT", 0, 0, 0.5))
	testbed.Eventually(t, 10*time.Second, "the table is there to wait for", func(ctx context.Context) bool {
		consumer, err := r.js.Consumer(ctx, stream.Signals, store.PatternsConsumer)
		return err == nil && consumer.CachedInfo().Delivered.Stream > 0
	})
	r.publish(stream.SessionStarted, event.NewSessionStarted(event.Session{SessionID: session, Universe: "u", StartedAt: event.At(open)}, open))
	r.stored(store.PatternsConsumer)
	r.publishPattern(orphan)
	r.publishPattern(pattern("Doji", "IBM", 0, 0, 0.5))
	r.stored(store.PatternsConsumer)
	r.want("SELECT symbol FROM intraday_patterns ORDER BY symbol", "(IBM)", "(MSFT)")
	if rejects := r.rejects(); len(rejects) != 1 || !strings.Contains(rejects[0].Header.Get(event.HeaderRejectDetail), "foreign key") {
		t.Errorf("%d rejects, want the one whose session nobody knows", len(rejects))
	}
}

func TestDatabaseComesAndGoesUnderLoad(t *testing.T) {
	r := newRig(t)
	proxy, through := r.proxied()
	proxy.Cut() // down at the start
	s := r.start(func(c *store.Config) { c.URL, c.BatchSize, c.WriteTimeout = through, 50, time.Second })
	const symbols, rounds = 20, 60
	for round := range rounds {
		for i := range symbols {
			r.publishBar(bar(fmt.Sprintf("S%d", i), round/2, uint32(round%2), fmt.Sprint(round+1)))
			r.publishIndicator(indicator("RSI", fmt.Sprintf("S%d", i), round/2, uint32(round%2), float64(round)))
		}
		switch round % 10 {
		case 2:
			proxy.Restore()
			testbed.Eventually(t, 20*time.Second, "something is stored", func(context.Context) bool { return s.Report().LastError == "" })
		case 5:
			proxy.Cut()
		case 7:
			proxy.Restore()
		case 8:
			proxy.Stall()
		}
	}
	testbed.Eventually(t, 10*time.Second, "the fault is said", func(context.Context) bool { return s.Report().LastError != "" })
	proxy.Cut()
	proxy.Restore()
	r.stored("store_bars", store.IndicatorsConsumer)
	r.want("SELECT count(*), sum(close), min(revision) FROM ohlcv_1min", fmt.Sprintf("(%d,%d,1)", symbols*rounds/2, symbols*930))
	r.want("SELECT count(*), sum(value), min(revision) FROM intraday_indicators", fmt.Sprintf("(%d,%d,1)", symbols*rounds/2, symbols*900))
	if n := len(r.rejects()); n > 0 {
		t.Errorf("%d rejects: a broken connection is no row's fault", n)
	}
}

// The server ends every session in mid-load, as a crash and a restart would.
func TestSessionsKilledUnderLoad(t *testing.T) {
	r := newRig(t)
	r.start(func(c *store.Config) { c.BatchSize = 20; c.FlushInterval = time.Millisecond })
	for i := range 600 {
		r.publishBar(bar(fmt.Sprintf("S%d", i), 0, 0, "1"))
		if i%50 == 0 {
			r.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tickstream store' AND query LIKE '%tickstream%'")
		}
	}
	r.stored("store_bars")
	r.want("SELECT count(*), count(DISTINCT symbol) FROM ohlcv_1min", "(600,600)")
	if n := len(r.rejects()); n > 0 {
		t.Errorf("%d rejects: an ended session is no row's fault", n)
	}
}

// Another transaction is in the way: wait, and blame no row.
func TestDeadlockAndLocksAreNoRowsFault(t *testing.T) {
	r := newRig(t)
	s := r.start(func(c *store.Config) { c.WriteTimeout = 300 * time.Millisecond })
	r.publishBar(bar("AAPL", 0, 0, "1"))
	r.stored("store_bars")
	r.exec("BEGIN")
	r.exec("LOCK TABLE ohlcv_1min IN ACCESS EXCLUSIVE MODE")
	r.publishBar(bar("AAPL", 0, 1, "2"))
	testbed.Eventually(t, 10*time.Second, "the lane waits", func(context.Context) bool { return s.table("store_bars").Error != "" })
	r.publishPattern(pattern("Doji", "AAPL", 0, 0, 0.5))
	r.stored(store.PatternsConsumer) // the others go on
	r.exec("COMMIT")
	r.stored("store_bars")
	r.want("SELECT close, revision FROM ohlcv_1min", "(2,1)")
	if n := len(r.rejects()); n > 0 {
		t.Errorf("%d rejects", n)
	}
}

func TestNATSRestart(t *testing.T) {
	r := newRig(t)
	s := r.start()
	r.publishBar(bar("AAPL", 0, 0, "1"))
	r.stored("store_bars")
	r.nats.Stop()
	testbed.Eventually(t, 10*time.Second, "the lease is lost", func(context.Context) bool { return !s.Report().Writer })
	r.nats.Start()
	testbed.Eventually(t, 10*time.Second, "the streams are back", func(ctx context.Context) bool {
		_, err := r.js.Stream(ctx, stream.Bars)
		return err == nil
	})
	r.publishBar(bar("AAPL", 1, 0, "2"))
	r.stored("store_bars")
	r.want("SELECT count(*) FROM ohlcv_1min", "(2)")
}

// Where nobody listens the driver has a line for each address it tried; who reads
// of it in health has one sentence.
func TestDatabaseAwayIsSaidInOneLine(t *testing.T) {
	r := newRig(t)
	s := r.start(func(c *store.Config) { c.URL = "postgres://nobody@127.0.0.1:1/none" })
	testbed.Eventually(t, 10*time.Second, "it is said", func(context.Context) bool { return strings.Contains(s.Report().LastError, "connection refused") })
	if said := s.Report().LastError; strings.ContainsAny(said, "\n\t") {
		t.Errorf("it is not one line: %q", said)
	}
}

func TestWrongCredentialsAreSaid(t *testing.T) {
	r := newRig(t)
	at := strings.LastIndex(r.url, "@") + 1
	if at == 0 {
		at = len("postgres://")
	}
	rest := r.url[at:]
	slash := strings.Index(rest, "/")
	for address, says := range map[string]string{
		"postgres://nobody_of_this_name:secret@" + rest:                 "correct the database URL",
		r.url[:at] + rest[:slash] + "/no_such_database?sslmode=disable": "the database is not there: make it, or correct the database URL",
	} {
		s := r.start(func(c *store.Config) { c.URL = address })
		testbed.Eventually(t, 10*time.Second, says, func(context.Context) bool { return strings.Contains(s.Report().LastError, says) })
		if text := s.Report().LastError + s.log.String(); strings.Contains(text, "secret") {
			t.Errorf("the password is told: %s", text)
		}
		s.stop()
	}
}
