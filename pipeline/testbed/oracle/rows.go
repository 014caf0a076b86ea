package oracle

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tickstock/tickstream/pipeline/indicator"
)

// Rows are what PostgreSQL must hold, by table and key.
func (p *Published) Rows() (map[string]string, error) {
	indicators, err := indicator.NewSet()
	if err != nil {
		return nil, fmt.Errorf("all indicators: %w", err)
	}
	isIndicator := map[string]bool{}
	for _, definition := range indicators.Definitions() {
		isIndicator[definition.Name] = true
	}
	want := map[string]string{}
	for key, b := range p.Bars {
		at := b.Start.Format("2006-01-02 15:04:05")
		if key.Timeframe == "daily" {
			at = b.Start.Add(12 * time.Hour).Format("2006-01-02")
		}
		want["ohlcv_"+key.Timeframe+" "+key.Symbol+" "+at] = fmt.Sprintf("%s %s %s %s %d %d %d", b.Open, b.High, b.Low, b.Close, b.Volume.Int64(), b.TickCount, b.Revision)
	}
	for key, s := range p.Signals {
		if s.Withdrawn {
			continue
		}
		table := "intraday_patterns"
		if isIndicator[key.Name] {
			table = "intraday_indicators"
		}
		end := time.Unix(key.Start, 0).UTC().Add(time.Minute).Format("2006-01-02 15:04:05")
		want[table+" "+key.Symbol+" "+key.Name+" "+end] = strconv.Itoa(int(s.Revision))
	}
	return want, nil
}

// Querier is a connection, or a pool of them.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// ReadRows reads the tables in the form of [Published.Rows]. A row that is there
// twice is an error.
func ReadRows(ctx context.Context, database Querier) (map[string]string, error) {
	queries := map[string]string{
		"intraday_patterns":   "select symbol || ' ' || pattern_type || ' ' || to_char(detected_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), revision::text from intraday_patterns",
		"intraday_indicators": "select symbol || ' ' || indicator_type || ' ' || to_char(calculated_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), revision::text from intraday_indicators",
		"ohlcv_daily":         "select symbol || ' ' || to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD'), concat_ws(' ', open, high, low, close, volume, tick_count, revision) from ohlcv_daily",
	}
	for _, table := range []string{"ohlcv_1min", "ohlcv_5min", "ohlcv_15min", "ohlcv_60min"} {
		queries[table] = "select symbol || ' ' || to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), concat_ws(' ', open, high, low, close, volume, tick_count, revision) from " + table
	}
	stored := map[string]string{}
	for table, query := range queries {
		rows, err := database.Query(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
		for rows.Next() {
			var key, value string
			if err := rows.Scan(&key, &value); err != nil {
				return nil, fmt.Errorf("read %s: %w", table, err)
			}
			if _, twice := stored[table+" "+key]; twice {
				return nil, fmt.Errorf("%s %s is stored twice", table, key)
			}
			stored[table+" "+key] = value
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", table, err)
		}
	}
	return stored, nil
}

// CompareRows counts the rows that differ, and tells of one.
func CompareRows(want, stored map[string]string) (differ int, example string) {
	for key, value := range want {
		if stored[key] != value {
			differ++
			example = fmt.Sprintf("%s is %q, want %q", key, stored[key], value)
		}
	}
	for key := range stored {
		if _, ok := want[key]; !ok {
			differ++
			example = key + " should not be there"
		}
	}
	return differ, example
}
