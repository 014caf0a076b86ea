// Package oracle computes again, plainly and in one go, what the pipeline must
// have published of a partition's messages. It shares no code with the
// aggregation: it keeps every tick, sorts, and sums in rational numbers.
package oracle

import (
	"maps"
	"math/big"
	"sort"
	"time"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/indicator"
	"github.com/tickstock/tickstream/pipeline/pattern"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Message is one message of a partition: a tick, or a clock mark.
type Message struct {
	Sequence uint64
	Tick     *tick.Tick // nil for a mark
	Mark     time.Time
}

// Rules are the settings that decide which ticks count.
type Rules struct {
	Lateness, MaxAge time.Duration
	Timeframes       []string
	Zone             *time.Location // of market days
}

// Key names one bar.
type Key struct {
	Symbol, Timeframe string
	Start             int64 // Unix seconds
}

// Bar is a closed bar as decimal texts.
type Bar struct {
	Open, High, Low, Close, Volume, VWAP string // VWAP is empty without volume
	Ticks                                int64
	First, Last                          uint64
}

// Outcome is what must have been published.
type Outcome struct {
	Bars    map[Key]Bar
	TooLate map[uint64]bool // sequences of ticks that are refused
}

// NewOutcome is that of nothing.
func NewOutcome() Outcome { return Outcome{Bars: map[Key]Bar{}, TooLate: map[uint64]bool{}} }

// Add adds another partition's.
func (o Outcome) Add(other Outcome) {
	maps.Copy(o.Bars, other.Bars)
	maps.Copy(o.TooLate, other.TooLate)
}

type fold struct {
	at                     int64
	seq                    uint64
	open, high, low, close tick.Decimal
	volume, average        tick.Decimal
}

// Compute works through the messages of one partition.
func Compute(messages []Message, rules Rules) Outcome {
	out := NewOutcome()
	var watermark time.Time
	accepted := map[string][]fold{}
	for _, m := range messages {
		if m.Tick == nil {
			if m.Mark.After(watermark) {
				watermark = m.Mark
			}
			continue
		}
		t := m.Tick
		if t.Kind == tick.Quote {
			continue
		}
		at := time.Unix(0, t.UnixNanos).UTC()
		if !at.Truncate(time.Minute).Add(time.Minute + rules.MaxAge).After(watermark) {
			out.TooLate[m.Sequence] = true
		} else {
			accepted[string(t.Symbol)] = append(accepted[string(t.Symbol)], folded(t, m.Sequence))
		}
		if mark := at.Add(-rules.Lateness); mark.After(watermark) {
			watermark = mark
		}
	}
	for symbol, ticks := range accepted {
		sort.Slice(ticks, func(i, j int) bool {
			return ticks[i].at < ticks[j].at || ticks[i].at == ticks[j].at && ticks[i].seq < ticks[j].seq
		})
		for _, timeframe := range rules.Timeframes {
			groups := map[int64][]fold{}
			ends := map[int64]time.Time{}
			for _, f := range ticks {
				start, end := bounds(time.Unix(0, f.at), timeframe, rules.Zone)
				groups[start.Unix()] = append(groups[start.Unix()], f)
				ends[start.Unix()] = end
			}
			for start, group := range groups {
				if !ends[start].After(watermark) {
					out.Bars[Key{symbol, timeframe, start}] = barOf(group)
				}
			}
		}
	}
	return out
}

func folded(t *tick.Tick, seq uint64) fold {
	f := fold{at: t.UnixNanos, seq: seq, open: t.Price, close: t.Price, volume: t.Volume, average: t.Price}
	if t.Has(tick.FieldOpen) {
		f.open = t.Open
	}
	if t.Has(tick.FieldClose) {
		f.close = t.Close
	}
	prices := []tick.Decimal{f.open, f.close}
	if t.Has(tick.FieldHigh) {
		prices = append(prices, t.High)
	}
	if t.Has(tick.FieldLow) {
		prices = append(prices, t.Low)
	}
	sort.Slice(prices, func(i, j int) bool { return prices[i] < prices[j] })
	f.low, f.high = prices[0], prices[len(prices)-1]
	if f.volume == 0 && t.Has(tick.FieldVolume) {
		f.volume = t.AggregateVolume
	}
	if t.Has(tick.FieldVWAP) {
		f.average = t.VWAP
	}
	return f
}

func bounds(at time.Time, timeframe string, zone *time.Location) (start, end time.Time) {
	lengths := map[string]time.Duration{"1min": time.Minute, "5min": 5 * time.Minute, "15min": 15 * time.Minute, "60min": time.Hour}
	if length, ok := lengths[timeframe]; ok {
		start = at.UTC().Truncate(length)
		return start, start.Add(length)
	}
	y, m, d := at.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}

func barOf(ticks []fold) Bar {
	first, last := ticks[0], ticks[len(ticks)-1]
	b := Bar{Open: first.open.String(), Close: last.close.String(), Ticks: int64(len(ticks)), First: first.seq, Last: first.seq}
	high, low := first.high, first.low
	volume, money := new(big.Rat), new(big.Rat)
	for _, f := range ticks {
		high, low = max(high, f.high), min(low, f.low)
		b.First, b.Last = min(b.First, f.seq), max(b.Last, f.seq)
		volume.Add(volume, rational(f.volume))
		money.Add(money, new(big.Rat).Mul(rational(f.average), rational(f.volume)))
	}
	b.High, b.Low, b.Volume = high.String(), low.String(), plain(volume)
	if volume.Sign() > 0 {
		b.VWAP = plain(nearest(money.Quo(money, volume)))
	}
	return b
}

func rational(d tick.Decimal) *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(int64(d)), big.NewInt(int64(tick.One)))
}

// nearest is r rounded half to even to nine decimals.
func nearest(r *big.Rat) *big.Rat {
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt64(int64(tick.One)))
	whole, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	if c := rest.Lsh(rest, 1).Cmp(scaled.Denom()); c > 0 || c == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return new(big.Rat).SetFrac(whole, big.NewInt(int64(tick.One)))
}

// plain is r, of at most nine decimals, without trailing zeros.
func plain(r *big.Rat) string {
	text := r.FloatString(9)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	return text
}

// SignalKey names one signal on a bar.
type SignalKey struct {
	Key
	Name string
}

// Signals are the values of every indicator, and the confidence of every
// pattern, on bars of one timeframe, computed over each symbol's bars in one go.
func Signals(bars map[Key]Bar, timeframe string, indicators *indicator.Set, patterns *pattern.Set, zone *time.Location) map[SignalKey][3]float64 {
	series := map[string][]Key{}
	for key := range bars {
		if key.Timeframe == timeframe {
			series[key.Symbol] = append(series[key.Symbol], key)
		}
	}
	out := map[SignalKey][3]float64{}
	for _, keys := range series {
		sort.Slice(keys, func(i, j int) bool { return keys[i].Start < keys[j].Start })
		values, shapes := indicators.Open(nil), patterns.Open(nil)
		for _, key := range keys {
			c := candleOf(key, bars[key], zone)
			for _, r := range values.Update(c, nil) {
				out[SignalKey{key, indicators.Definitions()[r.Indicator].Name}] = r.Values
			}
			for _, m := range shapes.Update(c, nil) {
				out[SignalKey{key, patterns.Definitions()[m.Pattern].Name}] = [3]float64{m.Confidence, float64(m.Score)}
			}
		}
	}
	return out
}

func candleOf(key Key, b Bar, zone *time.Location) candle.Candle {
	number := func(text string) float64 {
		r, _ := new(big.Rat).SetString(text)
		f, _ := r.Float64()
		return f
	}
	average := b.VWAP
	if average == "" {
		average = b.Close
	}
	y, m, d := time.Unix(key.Start, 0).In(zone).Date()
	return candle.Candle{
		Start: key.Start, Day: int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400), //nolint:gosec // a day of our time
		Open: number(b.Open), High: number(b.High), Low: number(b.Low), Close: number(b.Close),
		Volume: number(b.Volume), VWAP: number(average),
	}
}
