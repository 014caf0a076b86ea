// Package store keeps bars, signals, health and sessions in PostgreSQL, as
// AppV2 reads them.
//
// Each table is a lane of its own: a durable consumer, a connection, a
// goroutine. A lane acknowledges what it has committed and nothing else, so
// PostgreSQL being away means lag and never loss, and no table waits for
// another. What was delivered and not committed is read again in the order of
// the stream, and writing it twice changes nothing.
package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Config of a [Store].
type Config struct {
	// URL of the database, postgres://user:password@host:port/name. The
	// connections are long and keep session locks, so a pooler in between must
	// pool sessions, not transactions.
	URL string
	// Instance names this process among those that could write.
	Instance string
	// Schema of the tables. Defaults to the first of the user's search path.
	Schema string
	// BarTables are the tables of each timeframe, by preference: the first that
	// exists is adopted; where none does the last is made. A timeframe that is
	// not named is not stored. Defaults to ohlcv_1min, ohlcv_5min, ohlcv_15min,
	// ohlcv_hourly or ohlcv_60min, and ohlcv_daily.
	BarTables map[string][]string
	// MarketZone is the time zone of the market days that daily bars are of: a
	// bar's date, in a table by date, is the one there. Defaults to
	// America/New_York.
	MarketZone string
	// BatchSize is the most messages of one transaction. Defaults to 1,000.
	BatchSize int
	// FlushInterval is the longest that a message waits for others to share its
	// transaction. Defaults to 200 ms.
	FlushInterval time.Duration
	// WriteTimeout bounds one transaction and everything else that is asked of
	// the database. Defaults to 30 s.
	WriteTimeout time.Duration
	// TableRetry is when a table that cannot be written is looked at again.
	// Defaults to 30 s.
	TableRetry time.Duration
	// ParentWait is how long rows that name a session are tried again while the
	// database knows no such session, where an existing table demands one.
	// After that they are refused. Defaults to 10 s.
	ParentWait time.Duration
	// PatternExpiry and IndicatorExpiry are when a row expires, from the end of
	// its bar: expiration_timestamp. Default to 1 h and 24 h.
	PatternExpiry, IndicatorExpiry time.Duration
}

// defaultBarTables are AppV2's own tables where it has one.
var defaultBarTables = map[string][]string{
	"1min":  {"ohlcv_1min"},
	"5min":  {"ohlcv_5min"},
	"15min": {"ohlcv_15min"},
	"60min": {"ohlcv_hourly", "ohlcv_60min"},
	"daily": {"ohlcv_daily"},
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (c Config) withDefaults() Config {
	if c.BarTables == nil {
		c.BarTables = maps.Clone(defaultBarTables)
	}
	orDefault(&c.MarketZone, "America/New_York")
	orDefault(&c.BatchSize, 1000)
	orDefault(&c.FlushInterval, 200*time.Millisecond)
	orDefault(&c.WriteTimeout, 30*time.Second)
	orDefault(&c.TableRetry, 30*time.Second)
	orDefault(&c.ParentWait, 10*time.Second)
	orDefault(&c.PatternExpiry, time.Hour)
	orDefault(&c.IndicatorExpiry, 24*time.Hour)
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if _, err := PoolConfig(c.URL); err != nil {
		errs = append(errs, err)
	}
	if c.Instance == "" {
		errs = append(errs, errors.New("instance is empty: give a name that no other process has"))
	}
	if _, err := time.LoadLocation(c.MarketZone); err != nil {
		errs = append(errs, fmt.Errorf("market zone is %q: give a name such as America/New_York (%w)", c.MarketZone, err))
	}
	if c.BatchSize < 1 || c.BatchSize > 50_000 {
		errs = append(errs, fmt.Errorf("batch size is %d: give 1 to 50,000", c.BatchSize))
	}
	for _, setting := range []struct {
		name     string
		d, least time.Duration
	}{
		{"flush interval", c.FlushInterval, time.Millisecond}, {"write timeout", c.WriteTimeout, 100 * time.Millisecond},
		{"table retry", c.TableRetry, 10 * time.Millisecond}, {"parent wait", c.ParentWait, time.Millisecond},
		{"pattern expiry", c.PatternExpiry, time.Second}, {"indicator expiry", c.IndicatorExpiry, time.Second},
	} {
		if setting.d < setting.least {
			errs = append(errs, fmt.Errorf("%s is %v: give at least %v", setting.name, setting.d, setting.least))
		}
	}
	return errors.Join(append(errs, c.validateTables()...)...)
}

func (c Config) validateTables() (errs []error) {
	taken := map[string]string{patternsTable: "patterns", indicatorsTable: "indicators", healthTable: "health", sessionsTable: "sessions"}
	for _, timeframe := range slices.Sorted(maps.Keys(c.BarTables)) {
		if !isWord(timeframe) {
			errs = append(errs, fmt.Errorf("bar tables: timeframe %q: give letters, digits and _ only", timeframe))
		}
		if len(c.BarTables[timeframe]) == 0 {
			errs = append(errs, fmt.Errorf("bar tables: timeframe %s has no table: name one, or leave the timeframe out", timeframe))
		}
		for _, name := range c.BarTables[timeframe] {
			if name == "" || len(name) > 48 {
				errs = append(errs, fmt.Errorf("bar tables: table %q of %s: give a name of 1 to 48 bytes", name, timeframe))
			}
			if other, twice := taken[name]; twice {
				errs = append(errs, fmt.Errorf("bar tables: table %s is for %s and for %s: give each its own", name, other, timeframe))
			}
			taken[name] = timeframe
		}
	}
	return errs
}

// isWord tells whether s can be part of a consumer's name and of a subject.
func isWord(s string) bool {
	for _, c := range s {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}
