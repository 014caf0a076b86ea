package store

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// table is what one lane stores: which messages, as which rows, where.
type table struct {
	consumer string
	stream   string
	filter   string
	// names by preference: the first that exists is adopted, else the last made.
	names   []string
	columns []column
	decode  decoder
	// ddl are the columns and constraints of a table that we make.
	ddl string
	// indexes of a table that we make: columns in parentheses.
	indexes []string
	// hyper is the time column that TimescaleDB divides by; empty for none.
	hyper string
	// zone is where a moment's date is read for a column of dates.
	zone *time.Location
	// withdraws says that rows are deleted too.
	withdraws bool
	// merges says that an event holds part of a row and leaves the rest.
	merges bool
}

// tables are the lanes that cfg asks for.
func tables(cfg Config, zone *time.Location) []table {
	all := []table{sessionTable(), healthMetricsTable(), patternTable(cfg.PatternExpiry), indicatorTable(cfg.IndicatorExpiry)}
	for _, timeframe := range slices.Sorted(maps.Keys(cfg.BarTables)) {
		all = append(all, barTable(timeframe, cfg.BarTables[timeframe], zone))
	}
	return all
}

// BarsConsumer is the durable consumer that stores the bars of a timeframe:
// store_bars for 1-minute bars, store_bars_5min and so on for the others, each
// of which has a table, and so a lag, of its own.
func BarsConsumer(timeframe string) string {
	if timeframe == "1min" {
		return "store_bars"
	}
	return "store_bars_" + timeframe
}

// The durable consumers of the other tables.
const (
	IndicatorsConsumer = "store_indicators"
	PatternsConsumer   = "store_patterns"
	HealthConsumer     = "store_health"
	SessionsConsumer   = "store_sessions"
)

func expectType(got, want string) error {
	if got != want {
		return fmt.Errorf("read the event: its type is %.40q, want %q", got, want)
	}
	return nil
}
