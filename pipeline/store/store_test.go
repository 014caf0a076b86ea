package store_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/store"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestFreshDatabase(t *testing.T) {
	r := newRig(t)
	confirmations, err := r.nats.Connect().SubscribeSync(stream.Persistence)
	if err != nil {
		t.Fatal(err)
	}
	r.publish(stream.SessionStarted, event.NewSessionStarted(event.Session{
		SessionID: session, Universe: "market_leaders:top_500", StartedAt: event.At(open), SymbolCount: 60, Status: "active",
	}, open))
	r.publishBar(bar("BRK.B", 0, 0, "187.123456789"))
	hourly := bar("AAPL", 0, 0, "5")
	hourly.Timeframe = "60min"
	r.publishBar(hourly)
	r.publishIndicator(indicator("RSI", "AAPL", 0, 0, 72.49999999999999))
	r.publishPattern(pattern("Bullish Engulfing", "AAPL", 0, 0, 0.85))
	r.publish(stream.SignalSubject(event.KindAlert, "RSI_OVERBOUGHT", "AAPL"), event.IndicatorAlert{Type: "indicator_alert"})
	r.publish(stream.HealthStatus, event.NewStreamingHealth(event.Health{
		SessionID: session, Status: event.StatusHealthy, ActiveSymbols: 60, TicksPerSecond: 15.2, Timestamp: event.At(open),
		DataFlow: event.DataFlow{BarsPerMinute: 60, ProcessingLagMs: 45.5}, Resources: event.Resources{CPUPercent: 12.1, MemoryMB: 256.5},
		Issues: []string{"a \"quote\""},
	}))
	s := r.start(func(c *store.Config) { c.BarTables = nil })
	r.stored("store_bars", "store_bars_60min", store.IndicatorsConsumer, store.PatternsConsumer, store.HealthConsumer, store.SessionsConsumer)

	r.want(`SELECT symbol, "timestamp", open, high, low, close, volume, vwap, tick_count, session_id, revision FROM ohlcv_1min`,
		`(BRK.B,"2025-10-07 13:30:00+00",187.4201,188,187,187.123456789,1200,187.123456789,42,`+session+`,0)`)
	r.want("SELECT symbol, close FROM ohlcv_60min", "(AAPL,5)")
	r.want(`SELECT indicator_type, indicator_name, indicator, symbol, value, value_data, parameters, calculated_at, calculation_timestamp,
		expiration_timestamp, timeframe, session_id FROM intraday_indicators`,
		`(RSI,RSI,RSI,AAPL,72.49999999999999,"{""other"": 1.5, ""value"": 72.49999999999999}","{""period"": 14}","2025-10-07 13:31:00+00","2025-10-07 13:31:00+00","2025-10-08 13:31:00+00",1min,`+session+`)`)
	r.want(`SELECT pattern_type, symbol, confidence, detected_at, detection_timestamp, expiration_timestamp, timeframe, parameters,
		pattern_data->>'direction', levels, bar_open, bar_high, bar_low, bar_close, bar_volume, metadata->>'pattern_id' IS NOT NULL FROM intraday_patterns`,
		`("Bullish Engulfing",AAPL,0.85,"2025-10-07 13:31:00+00","2025-10-07 13:31:00+00","2025-10-07 14:31:00+00",1min,"{""body"": 0.1}",bullish,{},1.5,2,1,1.5,2,t)`)
	r.want(`SELECT session_id, status, active_symbols, ticks_per_second, bars_per_minute, processing_lag_ms, cpu_percent, memory_mb, issues, measured_at
		FROM streaming_health_metrics`,
		`(`+session+`,healthy,60,15.2,60,45.5,12.1,256.5,"[""a \\""quote\\""""]","2025-10-07 13:30:00+00")`)
	r.want("SELECT session_id, universe, started_at, stopped_at, symbol_count FROM streaming_sessions",
		`(`+session+`,market_leaders:top_500,"2025-10-07 13:30:00+00",,60)`)
	if n := len(r.rejects()); n != 0 {
		t.Errorf("%d rejects, want none", n)
	}
	testbed.Eventually(t, 5*time.Second, "six rows are reported", func(context.Context) bool { return s.Report().Rows == 6 })
	report := s.Report()
	if !report.Writer || report.Rows != 6 || report.Refused != 0 || report.LastError != "" || report.LastCommit.IsZero() || len(report.Tables) != 9 {
		t.Errorf("report is %+v", report)
	}
	told := map[string]bool{}
	for range 6 {
		msg, err := confirmations.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("confirmations of %v: %v", told, err)
		}
		var c struct {
			Type, Table string
			SessionID   string `json:"session_id"`
			Rows        int
			Timestamp   event.Time
		}
		if err := json.Unmarshal(msg.Data, &c); err != nil || c.Type != "persistence" || c.SessionID != session || c.Rows != 1 || c.Timestamp.IsZero() {
			t.Errorf("confirmation %s: %v", msg.Data, err)
		}
		told[c.Table] = true
	}
	if len(told) != 6 {
		t.Errorf("confirmed %v, want each table once", told)
	}
}

func TestSessionEnds(t *testing.T) {
	r := newRig(t)
	s := r.start()
	started := event.NewSessionStarted(event.Session{SessionID: session, Universe: "u:k", StartedAt: event.At(open), SymbolCount: 60}, open)
	stopped := event.NewSessionStopped(event.SessionEnd{
		SessionID: session, StoppedAt: event.At(open.Add(time.Hour)), DurationSeconds: 3000,
		TotalPatterns: 5, TotalIndicators: 150, FinalStatus: event.FinalCompleted,
	}, open)
	want := `(` + session + `,u:k,"2025-10-07 13:30:00+00","2025-10-07 14:30:00+00",60,5,150,completed)`
	const read = "SELECT session_id, universe, started_at, stopped_at, symbol_count, total_patterns, total_indicators, final_status FROM streaming_sessions"

	r.publish(stream.SessionStarted, started)
	r.stored(store.SessionsConsumer)
	r.publish(stream.SessionStopped, stopped)
	r.stored(store.SessionsConsumer)
	r.want(read, want)

	// Both in one batch, and announced again.
	s.stop()
	r.exec("DELETE FROM streaming_sessions")
	r.publish(stream.SessionStarted, started)
	r.publish(stream.SessionStopped, stopped)
	r.start()
	r.stored(store.SessionsConsumer)
	r.want(read, want)

	// An end whose start is not in the stream any more.
	stopped.Session.SessionID = "0b5f4a5e-7a0c-4f0e-9d57-1c1f5e5a9a02"
	r.publish(stream.SessionStopped, stopped)
	r.stored(store.SessionsConsumer)
	r.want("SELECT universe, started_at, final_status FROM streaming_sessions WHERE session_id::text = '"+stopped.Session.SessionID+"'",
		`(,"2025-10-07 13:40:00+00",completed)`)
}

func TestRevisionsAndRedelivery(t *testing.T) {
	r := newRig(t)
	// One batch holds the first two, in the wrong order.
	r.publishBar(bar("AAPL", 0, 1, "11"))
	r.publishBar(bar("AAPL", 0, 0, "10"))
	r.publishBar(bar("AAPL", 1, 0, "20"))
	s := r.start()
	r.stored("store_bars")
	const read = `SELECT symbol, "timestamp", close, revision, created_at = (SELECT min(created_at) FROM ohlcv_1min) FROM ohlcv_1min ORDER BY "timestamp"`
	want := []string{`(AAPL,"2025-10-07 13:30:00+00",11,1,t)`, `(AAPL,"2025-10-07 13:31:00+00",20,0,t)`}
	r.want(read, want...)

	r.publishBar(bar("AAPL", 0, 0, "12")) // older than what is there
	r.stored("store_bars")
	r.want(read, want...)
	r.publishBar(bar("AAPL", 0, 2, "13"))
	r.stored("store_bars")
	want[0] = `(AAPL,"2025-10-07 13:30:00+00",13,2,t)`
	r.want(read, want...)

	// All once more: the consumer is made anew.
	s.stop()
	if err := r.js.DeleteConsumer(t.Context(), stream.Bars, "store_bars"); err != nil {
		t.Fatal(err)
	}
	again := r.start()
	r.stored("store_bars")
	r.want(read, want...)
	testbed.Eventually(t, 5*time.Second, "a commit is reported", func(context.Context) bool {
		return !again.table("store_bars").LastCommit.IsZero()
	})
	if again.table("store_bars").Unrevised {
		t.Error("the table is said to know no revisions")
	}
}

func TestWithdrawnSignalsLeave(t *testing.T) {
	r := newRig(t)
	r.start()
	r.publishPattern(pattern("Doji", "AAPL", 0, 1, 0.5))
	r.publishPattern(pattern("Doji", "MSFT", 0, 0, 0.6))
	r.publishIndicator(indicator("RSI", "AAPL", 0, 0, 70))
	r.publishIndicator(indicator("RSI", "AAPL", 1, 0, 71))
	r.stored(store.PatternsConsumer, store.IndicatorsConsumer)
	const patterns = "SELECT symbol, confidence FROM intraday_patterns ORDER BY symbol"
	r.want(patterns, "(AAPL,0.5)", "(MSFT,0.6)")

	older := pattern("Doji", "AAPL", 0, 0, 0.5)
	older.Withdrawn = true
	r.publishPattern(older)
	r.stored(store.PatternsConsumer)
	r.want(patterns, "(AAPL,0.5)", "(MSFT,0.6)")

	withdrawn := pattern("Doji", "AAPL", 0, 2, 0.5)
	withdrawn.Withdrawn = true
	r.publishPattern(withdrawn)
	gone := indicator("RSI", "AAPL", 1, 1, 71)
	gone.Withdrawn = true
	r.publishIndicator(gone)
	r.stored(store.PatternsConsumer, store.IndicatorsConsumer)
	r.want(patterns, "(MSFT,0.6)")
	r.want("SELECT calculated_at, value FROM intraday_indicators", `("2025-10-07 13:31:00+00",70)`)

	r.publishPattern(pattern("Doji", "AAPL", 0, 3, 0.9)) // it shows again
	r.stored(store.PatternsConsumer)
	r.want(patterns, "(AAPL,0.9)", "(MSFT,0.6)")
}

func TestOneWritesAndTheOtherTakesOver(t *testing.T) {
	r := newRig(t)
	stores := []*running{r.start(), r.start()}
	writer := func() (writer, other *running) {
		t.Helper()
		testbed.Eventually(t, 10*time.Second, "one of two writes", func(context.Context) bool {
			return stores[0].Report().Writer != stores[1].Report().Writer
		})
		if stores[0].Report().Writer {
			return stores[0], stores[1]
		}
		return stores[1], stores[0]
	}
	r.publishBar(bar("AAPL", 0, 0, "1"))
	r.stored("store_bars")
	first, second := writer()
	first.stop()
	began := time.Now()
	r.publishBar(bar("AAPL", 1, 0, "2"))
	r.stored("store_bars")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took over after %v", took)
	}
	r.want("SELECT count(*) FROM ohlcv_1min", "(2)")
	testbed.Eventually(t, 5*time.Second, "the second has stored what came after", func(context.Context) bool {
		return second.table("store_bars").Rows == 1
	})
}

// A writer that sleeps through the loss of its lease still holds its sessions,
// and messages that it never acknowledged.
func TestSleepingWriterIsFencedOut(t *testing.T) {
	r := newRig(t)
	database, through := r.proxied()
	bus := testbed.StartProxy(t, strings.TrimPrefix(r.nats.URL(), "nats://"))
	nc, err := nats.Connect("nats://"+bus.Addr(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	sleeper := r.startOn(js, func(c *store.Config) { c.URL = through })
	r.publishBar(bar("AAPL", 0, 0, "1"))
	r.stored("store_bars")

	// It falls asleep in a transaction, with a row of the table locked.
	holder, err := pgx.Connect(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // it has done its work
	if _, err := holder.Exec(t.Context(), "BEGIN; LOCK TABLE "+r.schema+".ohlcv_1min IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	r.publishBar(bar("AAPL", 0, 1, "2"))
	const others = "FROM pg_stat_activity WHERE application_name = 'tickstream store' AND query LIKE '%INSERT INTO \""
	writes := func(state string) func(context.Context) bool {
		return func(context.Context) bool {
			return r.lines("SELECT count(*) " + others + r.schema + "\"%' AND " + state)[0] == "(1)"
		}
	}
	testbed.Eventually(t, 10*time.Second, "it waits for the lock", writes("wait_event_type = 'Lock'"))
	database.Stall()
	bus.Stall()
	if _, err := holder.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 10*time.Second, "it has the row", writes("state = 'idle in transaction'"))
	next := r.start()
	testbed.Eventually(t, 15*time.Second, "another store writes", func(context.Context) bool {
		return next.table("store_bars").Rows > 0
	})
	r.stored("store_bars")
	r.want("SELECT close, revision FROM ohlcv_1min", "(2,1)")
	r.publishBar(bar("AAPL", 0, 2, "3"))
	r.stored("store_bars")

	database.Restore()
	bus.Restore()
	testbed.Eventually(t, 10*time.Second, "the sleeper notices", func(context.Context) bool { return !sleeper.Report().Writer })
	r.want("SELECT close, revision FROM ohlcv_1min", "(3,2)")
	sleeper.stop()
}

// A pull request of a reader that died swallows what it is given. The store must
// not wait for the message to be delivered again by itself.
func TestSwallowedDeliveryIsReadAgain(t *testing.T) {
	r := newRig(t)
	r.start()
	r.publishBar(bar("AAPL", 0, 0, "1"))
	r.stored("store_bars")
	consumer, err := r.js.Consumer(t.Context(), stream.Bars, "store_bars")
	if err != nil {
		t.Fatal(err)
	}
	swallowed, err := consumer.Fetch(1, jetstream.FetchMaxWait(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for minute, ours := 1, true; ours; minute++ {
		r.publishBar(bar("AAPL", minute, 0, "1"))
		testbed.Eventually(t, 10*time.Second, "the bar is stored or swallowed", func(context.Context) bool {
			select {
			case <-swallowed.Messages():
				ours = false
			default:
			}
			return !ours || len(r.lines("SELECT FROM ohlcv_1min")) == minute+1
		})
	}
	began := time.Now()
	r.stored("store_bars")
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("read again after %v", took)
	}
}

func TestConfigValidateNamesTheSetting(t *testing.T) {
	good := store.Config{URL: "postgres://u:secret@localhost/db", Instance: "one"}
	if err := good.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for says, change := range map[string]func(*store.Config){
		"database URL":     func(c *store.Config) { c.URL = "postgres://u:secret@host:port:9/%%" },
		"database URL can": func(c *store.Config) { c.URL = "" },
		"instance":         func(c *store.Config) { c.Instance = "" },
		"batch size":       func(c *store.Config) { c.BatchSize = -1 },
		"flush interval":   func(c *store.Config) { c.FlushInterval = -1 },
		"write timeout":    func(c *store.Config) { c.WriteTimeout = 1 },
		"table retry":      func(c *store.Config) { c.TableRetry = 1 },
		"parent wait":      func(c *store.Config) { c.ParentWait = 1 },
		"pattern expiry":   func(c *store.Config) { c.PatternExpiry = 1 },
		"indicator expiry": func(c *store.Config) { c.IndicatorExpiry = 1 },
		"has no table":     func(c *store.Config) { c.BarTables = map[string][]string{"1min": nil} },
		"timeframe \"1.\"": func(c *store.Config) { c.BarTables = map[string][]string{"1.": {"a"}} },
		"give a name":      func(c *store.Config) { c.BarTables = map[string][]string{"1min": {""}} },
		"its own":          func(c *store.Config) { c.BarTables = map[string][]string{"1min": {"intraday_patterns"}} },
	} {
		cfg := good
		change(&cfg)
		_, err := store.New(cfg, nil, quiet)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("New = %v, want it to name %q and no password", err, says)
		}
	}
}
