// Package bar folds ticks into OHLCV bars and knows where in time bars begin
// and end.
package bar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const minute = 60 // seconds

// Timeframe is a length of bar: minutes that divide a day, counted from
// midnight UTC, or a market day.
type Timeframe struct {
	name    string
	seconds int64 // 0 for a market day
}

// The timeframes.
var (
	Minute   = Timeframe{"1min", minute}
	Minutes5 = Timeframe{"5min", 5 * minute}
	Quarter  = Timeframe{"15min", 15 * minute}
	Hour     = Timeframe{"60min", 60 * minute}
	Day      = Timeframe{"daily", 0}
)

// Timeframes are all that there are, shortest first.
func Timeframes() []Timeframe { return []Timeframe{Minute, Minutes5, Quarter, Hour, Day} }

// String is the timeframe's name, as on the wire.
func (t Timeframe) String() string { return t.name }

// ParseTimeframe reads a name.
func ParseTimeframe(name string) (Timeframe, error) {
	all := Timeframes()
	if i := slices.IndexFunc(all, func(t Timeframe) bool { return t.name == name }); i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for i, t := range all {
		names[i] = t.name
	}
	return Timeframe{}, fmt.Errorf("timeframe is %q: give one of %s", name, strings.Join(names, ", "))
}

// Bounds are the first second of the bar that holds the Unix second at, and the
// first second after it.
func (t Timeframe) Bounds(at int64, market *Market) (start, end int64) {
	if t.seconds == 0 {
		_, start, end = market.Day(at)
		return start, end
	}
	start = at - at%t.seconds
	return start, start + t.seconds
}

// Market tells market days: from midnight to midnight of a time zone. It
// remembers the last, so it belongs to one goroutine.
type Market struct {
	zone       *time.Location
	day        int32
	start, end int64
}

// NewMarket is a market in zone.
func NewMarket(zone *time.Location) *Market { return &Market{zone: zone} }

// Day is the market day of the Unix second at, as days since 1970-01-01, and
// the seconds at which it begins and ends.
func (m *Market) Day(at int64) (day int32, start, end int64) {
	if at < m.start || at >= m.end {
		y, month, d := time.Unix(at, 0).In(m.zone).Date()
		m.day = int32(time.Date(y, month, d, 0, 0, 0, 0, time.UTC).Unix() / 86400) //nolint:gosec // days of the years that ticks have
		m.start = time.Date(y, month, d, 0, 0, 0, 0, m.zone).Unix()
		m.end = time.Date(y, month, d+1, 0, 0, 0, 0, m.zone).Unix()
	}
	return m.day, m.start, m.end
}
