package store_test

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/store"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// AppV2's bar tables as installations have them.
var barTables = map[string]struct{ ddl, moment, stored string }{
	"with time zone": {
		`symbol varchar(20) NOT NULL, "timestamp" timestamptz NOT NULL, open numeric(12,4) NOT NULL, high numeric(12,4) NOT NULL,
		low numeric(12,4) NOT NULL, close numeric(12,4) NOT NULL, volume bigint NOT NULL DEFAULT 0, UNIQUE (symbol, "timestamp")`,
		"timestamp", `(AAPL,"2025-10-07 13:30:00+00",187.4201,187.1235,1200)`,
	},
	"without time zone": {
		`id serial PRIMARY KEY, symbol varchar(20) NOT NULL, "timestamp" timestamp NOT NULL, open numeric(12,4), high numeric(12,4),
		low numeric(12,4), close numeric(12,4), volume bigint, transactions integer, created_at timestamp NOT NULL DEFAULT now(),
		source varchar(20) NOT NULL DEFAULT 'massive', UNIQUE (symbol, "timestamp")`,
		"timestamp", `(AAPL,"2025-10-07 13:30:00",187.4201,187.1235,1200)`,
	},
	"without a unique index": {
		`symbol text, "timestamp" timestamptz, open double precision, high double precision, low double precision,
		close double precision, volume numeric`,
		"timestamp", `(AAPL,"2025-10-07 13:30:00+00",187.4201,187.12345,1200.5)`,
	},
	"everything demanded": {
		`id uuid NOT NULL, symbol char(8) NOT NULL, "timestamp" timestamptz NOT NULL, open numeric(12,4) NOT NULL, high numeric(12,4) NOT NULL,
		low numeric(12,4) NOT NULL, close numeric(12,4) NOT NULL, volume bigint NOT NULL, transactions integer NOT NULL,
		created_at timestamp NOT NULL, PRIMARY KEY ("timestamp", symbol)`,
		"timestamp", `("AAPL    ","2025-10-07 13:30:00+00",187.4201,187.1235,1200)`,
	},
	"by date": {
		`symbol varchar(20), date date, open numeric(12,4), high numeric(12,4), low numeric(12,4), close numeric(12,4), volume bigint,
		UNIQUE (symbol, date)`,
		"date", `(AAPL,2025-10-07,187.4201,187.1235,1200)`,
	},
}

func TestAdoptsBarTables(t *testing.T) {
	for name, c := range barTables {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.exec("SET timezone = 'America/New_York'") // the user's own setting moves nothing
			r.exec("CREATE TABLE ohlcv_1min (" + c.ddl + ")")
			r.exec("INSERT INTO ohlcv_1min (symbol, " + c.moment + ") SELECT 'OLD', '2020-01-01'::date WHERE NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 'ohlcv_1min'::regclass AND attname = 'open' AND attnotnull)")
			r.exec("SET timezone = 'UTC'")
			before := r.lines(`SELECT attname, atttypid, atttypmod, attnotnull FROM pg_attribute WHERE attrelid = 'ohlcv_1min'::regclass AND attnum > 0 ORDER BY attnum`)
			old := r.lines("SELECT * FROM ohlcv_1min WHERE symbol = 'OLD'")
			s := r.start()
			read := "SELECT symbol, " + c.moment + ", open, close, volume FROM ohlcv_1min WHERE symbol = 'AAPL' ORDER BY " + c.moment
			r.publishBar(bar("AAPL", 0, 0, "1"))
			r.stored("store_bars")
			r.publishBar(bar("AAPL", 0, 1, "187.12345"))
			r.stored("store_bars")
			r.want(read, c.stored)
			r.want(`SELECT attname, atttypid, atttypmod, attnotnull FROM pg_attribute WHERE attrelid = 'ohlcv_1min'::regclass AND attnum > 0 ORDER BY attnum`, before...)
			r.want("SELECT * FROM ohlcv_1min WHERE symbol = 'OLD'", old...)
			if report := s.table("store_bars"); !report.Unrevised || report.Error != "" {
				t.Errorf("report is %+v, want a table without revisions", report)
			}
			if n := len(r.rejects()); n > 0 {
				t.Errorf("%d rejects", n)
			}
		})
	}
}

// A table by date has the market's dates, wherever the market is.
func TestDailyBarsHaveTheMarketsDate(t *testing.T) {
	for _, zone := range []string{
		"", // New York
		"Asia/Tokyo",
		"Europe/London",      // in summer its midnight is of the day before in UTC
		"Pacific/Kiritimati", // UTC+14
	} {
		t.Run(zone, func(t *testing.T) {
			location, err := time.LoadLocation(cmp.Or(zone, "America/New_York"))
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t)
			r.exec("CREATE TABLE ohlcv_daily (" + barTables["by date"].ddl + ")")
			r.start(func(c *store.Config) {
				c.MarketZone, c.BarTables = zone, map[string][]string{"daily": {"ohlcv_daily"}}
			})
			day := bar("AAPL", 0, 0, "187.5")
			day.Timeframe = "daily"
			day.Start, day.End = event.At(time.Date(2025, 10, 7, 0, 0, 0, 0, location)), event.At(time.Date(2025, 10, 8, 0, 0, 0, 0, location))
			r.publishBar(day)
			r.stored("store_bars_daily")
			r.want("SELECT symbol, date FROM ohlcv_daily", "(AAPL,2025-10-07)")
		})
	}
}

// Rows that are there twice forbid a unique index: rows are written without.
func TestAdoptsATableWithDuplicates(t *testing.T) {
	r := newRig(t)
	r.exec(`CREATE TABLE ohlcv_1min (symbol text, "timestamp" timestamp, open numeric, high numeric, low numeric, close numeric, volume bigint)`)
	r.exec(`INSERT INTO ohlcv_1min SELECT 'DUP', '2025-10-07 13:30:00', 1, 1, 1, 1, 1 FROM generate_series(1, 2)`)
	r.exec(`CREATE TABLE intraday_patterns (symbol text, pattern_type text, timeframe text, detected_at timestamptz, confidence float8, revision int)`)
	r.exec(`INSERT INTO intraday_patterns SELECT 'DUP', 'Doji', '1min', now(), 1, 0 FROM generate_series(1, 2)`)
	r.start()
	r.publishBar(bar("DUP", 0, 0, "7"))
	r.publishBar(bar("AAPL", 0, 1, "9"))
	r.publishBar(bar("AAPL", 0, 0, "8"))
	r.stored("store_bars")
	r.publishBar(bar("AAPL", 0, 2, "10"))
	r.publishPattern(pattern("Doji", "AAPL", 0, 1, 0.5))
	r.publishPattern(pattern("Doji", "MSFT", 0, 0, 0.5))
	r.stored("store_bars", store.PatternsConsumer)
	r.want("SELECT symbol, close FROM ohlcv_1min ORDER BY symbol", "(AAPL,10)", "(DUP,7)", "(DUP,7)")

	older := pattern("Doji", "AAPL", 0, 0, 0.1)
	r.publishPattern(older)
	gone := pattern("Doji", "MSFT", 0, 1, 0.1)
	gone.Withdrawn = true
	r.publishPattern(gone)
	r.stored(store.PatternsConsumer)
	r.want("SELECT symbol, confidence, revision FROM intraday_patterns WHERE symbol <> 'DUP'", "(AAPL,0.5,1)")
}

func TestAdoptsEitherGenerationOfSignals(t *testing.T) {
	for name, c := range map[string]struct{ indicators, patterns, indicator, pattern string }{
		"older": {
			`id serial PRIMARY KEY, symbol varchar(20) NOT NULL, indicator_name varchar(50) NOT NULL, value_data jsonb NOT NULL,
			calculation_timestamp timestamp NOT NULL, expiration_timestamp timestamp NOT NULL, timeframe varchar(10) NOT NULL DEFAULT '1min', metadata json`,
			`id uuid PRIMARY KEY, symbol varchar(20) NOT NULL, pattern_type varchar(50) NOT NULL, confidence numeric(4,3) NOT NULL,
			detection_timestamp timestamp NOT NULL, expiration_timestamp timestamp, timeframe varchar(10) DEFAULT '1min', pattern_data jsonb NOT NULL, levels jsonb NOT NULL`,
			`SELECT symbol, indicator_name, value_data->>'value', calculation_timestamp FROM intraday_indicators`,
			`SELECT symbol, pattern_type, confidence, detection_timestamp FROM intraday_patterns`,
		},
		"newer": {
			`id bigserial PRIMARY KEY, session_id uuid, symbol varchar(20) NOT NULL, indicator_type varchar(50) NOT NULL, value numeric(20,6),
			calculated_at timestamp NOT NULL, timeframe varchar(10) NOT NULL, parameters text`,
			`id bigserial PRIMARY KEY, session_id uuid, symbol varchar(20) NOT NULL, pattern_type varchar(50) NOT NULL, confidence real,
			detected_at timestamp NOT NULL, timeframe varchar(10), parameters jsonb, bar_volume bigint`,
			`SELECT symbol, indicator_type, value::float8, calculated_at FROM intraday_indicators`,
			`SELECT symbol, pattern_type, confidence::numeric(4,3), detected_at FROM intraday_patterns`,
		},
		"both": {
			`id bigserial, symbol varchar(20) NOT NULL, indicator_type varchar(50) NOT NULL, indicator varchar(50) NOT NULL,
			indicator_name varchar(50) GENERATED ALWAYS AS (indicator_type) STORED, value numeric, value_data jsonb,
			calculated_at timestamp NOT NULL, calculation_timestamp timestamp NOT NULL, timeframe varchar(10) NOT NULL,
			UNIQUE (symbol, indicator, timeframe, calculation_timestamp)`,
			`id bigserial, symbol varchar(20), pattern_type varchar(50), pattern_name varchar(50), confidence numeric(4,3), timeframe varchar(10),
			detected_at timestamp, detection_timestamp timestamp GENERATED ALWAYS AS (detected_at) STORED`,
			`SELECT symbol, indicator, value, calculation_timestamp FROM intraday_indicators WHERE indicator = indicator_name AND calculated_at = calculation_timestamp`,
			`SELECT symbol, pattern_name, confidence, detection_timestamp FROM intraday_patterns WHERE pattern_name = pattern_type`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.exec("CREATE TABLE intraday_indicators (" + c.indicators + "); CREATE TABLE intraday_patterns (" + c.patterns + ")")
			s := r.start()
			for revision, value := range []float64{70, 72.5} {
				r.publishIndicator(indicator("RSI", "AAPL", 0, uint32(revision), value))
				r.publishPattern(pattern("Doji", "AAPL", 0, uint32(revision), value/100))
				r.stored(store.IndicatorsConsumer, store.PatternsConsumer)
			}
			r.want(c.indicator, `(AAPL,RSI,72.5,"2025-10-07 13:31:00")`)
			r.want(c.pattern, `(AAPL,Doji,0.725,"2025-10-07 13:31:00")`)
			if report := s.Report(); report.LastError != "" || report.Refused != 0 {
				t.Errorf("report is %+v", report)
			}
		})
	}
}

func TestUnusableTableIsSkippedAndNothingElse(t *testing.T) {
	for says, c := range map[string]struct{ ddl, mend string }{
		"column close is missing: ALTER TABLE": {
			`symbol text, "timestamp" timestamptz, open numeric, high numeric, low numeric, volume bigint`,
			"ALTER TABLE ohlcv_1min ADD COLUMN close numeric",
		},
		"column open is text, which cannot hold open: make it numeric": {
			`symbol text, "timestamp" timestamptz, open text, high numeric, low numeric, close numeric, volume bigint`,
			"ALTER TABLE ohlcv_1min ALTER COLUMN open TYPE numeric USING open::numeric",
		},
		"column low is integer, which cannot hold low": {
			`symbol text, "timestamp" timestamptz, open numeric, high numeric, low integer, close numeric, volume bigint`,
			"ALTER TABLE ohlcv_1min ALTER COLUMN low TYPE numeric",
		},
		"column exchange is NOT NULL without a default": {
			`symbol text, "timestamp" timestamptz, open numeric, high numeric, low numeric, close numeric, volume bigint, exchange text NOT NULL`,
			"ALTER TABLE ohlcv_1min ALTER COLUMN exchange DROP NOT NULL",
		},
	} {
		t.Run(says, func(t *testing.T) {
			r := newRig(t)
			r.exec("CREATE TABLE ohlcv_1min (" + c.ddl + ")")
			s := r.start()
			r.publishBar(bar("AAPL", 0, 0, "1"))
			r.publishPattern(pattern("Doji", "AAPL", 0, 0, 0.5))
			r.stored(store.PatternsConsumer)
			testbed.Eventually(t, 10*time.Second, "the table is reported", func(context.Context) bool {
				return strings.Contains(s.table("store_bars").Skipped, "table ohlcv_1min: "+says)
			})
			if !strings.Contains(s.Report().LastError, says) || !strings.Contains(s.log.String(), "skipped=true") {
				t.Errorf("last error is %q, log:\n%s", s.Report().LastError, s.log)
			}
			r.want("SELECT count(*) FROM intraday_patterns", "(1)")
			r.want("SELECT count(*) FROM ohlcv_1min", "(0)")

			r.exec(c.mend)
			r.stored("store_bars")
			r.want("SELECT symbol, close FROM ohlcv_1min", "(AAPL,1)")
			if report := s.Report(); report.LastError != "" {
				t.Errorf("mended, last error is %q", report.LastError)
			}
		})
	}
}

func TestOptionalColumnOfAnotherTypeIsLeft(t *testing.T) {
	r := newRig(t)
	r.exec(`CREATE TABLE streaming_health_metrics (id serial, session_id integer, status text, issues text[], memory_mb integer,
		measured_at timestamptz UNIQUE, ticks_per_second double precision)`)
	s := r.start()
	r.publish(stream.HealthStatus, event.NewStreamingHealth(event.Health{SessionID: session, Status: event.StatusDegraded,
		TicksPerSecond: 1.5, Resources: event.Resources{MemoryMB: 256.5}, Timestamp: event.At(open)}))
	r.stored(store.HealthConsumer)
	r.want("SELECT session_id, status, issues, memory_mb, ticks_per_second FROM streaming_health_metrics", "(,degraded,,257,1.5)")
	if !strings.Contains(s.log.String(), "issues") {
		t.Errorf("the log does not name the columns that are left:\n%s", s.log)
	}
}

func TestWithoutRights(t *testing.T) {
	r := newRig(t)
	role := r.schema + "_role"
	r.exec("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA " + r.schema + " TO " + role)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := r.db.Exec(ctx, "DROP OWNED BY "+role+"; DROP ROLE "+role); err != nil {
			t.Error(err)
		}
	})
	r.exec(`CREATE TABLE ohlcv_1min (symbol text, "timestamp" timestamptz, open numeric, high numeric, low numeric, close numeric, volume bigint)`)
	r.exec("GRANT SELECT ON ohlcv_1min TO " + role)
	address := strings.Replace(r.url, "://", "://"+role+":secret@", 1)
	if at := strings.LastIndex(r.url, "@"); at > 0 {
		address = "postgres://" + role + ":secret" + r.url[at:]
	}
	s := r.start(func(c *store.Config) { c.URL = address })
	r.publishBar(bar("AAPL", 0, 0, "1"))
	testbed.Eventually(t, 10*time.Second, "both faults are said", func(context.Context) bool {
		return strings.Contains(s.table("store_bars").Skipped, "no right to INSERT, UPDATE: GRANT") &&
			strings.Contains(s.table(store.PatternsConsumer).Skipped, "may not make it: GRANT CREATE ON SCHEMA")
	})
	r.exec("GRANT INSERT, UPDATE ON ohlcv_1min TO " + role) // no right to add an index
	r.stored("store_bars")
	r.want("SELECT symbol, close FROM ohlcv_1min", "(AAPL,1)")
}

func TestManyStartAtOnce(t *testing.T) {
	r := newRig(t)
	// Each with leases of its own, so that all of them migrate.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			own := testbed.StartNATS(t).JetStream()
			if _, err := stream.Ensure(t.Context(), own, stream.Config{TicksMaxBytes: 64 << 20, RejectsMaxBytes: 64 << 20}, quiet); err != nil {
				t.Error(err)
				return
			}
			s := r.startOn(own)
			testbed.Eventually(t, 20*time.Second, "every table is there", func(ctx context.Context) bool {
				info, err := own.Consumer(ctx, stream.Bars, "store_bars")
				return err == nil && info != nil
			})
			s.stop()
			if text := s.log.String(); strings.Contains(text, "skipped=true") {
				t.Errorf("a table was skipped:\n%s", text)
			}
		})
	}
	wg.Wait()
}
