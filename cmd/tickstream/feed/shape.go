package feed

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"
	_ "time/tzdata" // the market's clock, wherever this runs
)

// sample is one tick before it is written down.
type sample struct {
	shape                  Shape
	quoted                 []byte // the symbol as a JSON string
	source                 string
	at                     time.Time
	open, high, low, cents int64 // prices in cents; cents is the last one
	volume                 int64
}

// append writes the tick byte for byte as Python's json.dumps does for AppV2:
// a space after each colon and comma, floats with a fraction.
func (s sample) append(dst []byte) []byte {
	if s.shape == Raw {
		dst = append(append(dst, `{"ticker": `...), s.quoted...)
		dst = appendCents(append(dst, `, "price": `...), s.cents)
		dst = strconv.AppendInt(append(dst, `, "volume": `...), s.volume, 10)
		dst = appendSeconds(append(dst, `, "timestamp": `...), s.at)
		dst = append(append(dst, `, "event_type": "A", "source": `...), strconv.Quote(s.source)...)
		dst = appendCents(append(dst, `, "tick_open": `...), s.open)
		dst = appendCents(append(dst, `, "tick_high": `...), s.high)
		dst = appendCents(append(dst, `, "tick_low": `...), s.low)
		dst = appendCents(append(dst, `, "tick_close": `...), s.cents)
		dst = strconv.AppendInt(append(dst, `, "tick_volume": `...), s.volume, 10)
		dst = appendCents(append(dst, `, "tick_vwap": `...), (s.open+s.cents)/2)
		return append(dst, `, "bid": null, "ask": null}`...)
	}
	dst = append(append(dst, `{"type": "market_tick", "symbol": `...), s.quoted...)
	dst = appendCents(append(dst, `, "price": `...), s.cents)
	dst = strconv.AppendInt(append(dst, `, "volume": `...), s.volume, 10)
	dst = appendSeconds(append(dst, `, "timestamp": `...), s.at)
	dst = append(append(dst, `, "source": `...), strconv.Quote(s.source)...)
	return append(dst, '}')
}

// appendCents writes a price as a float: 18740 is 187.4, 18700 is 187.0.
func appendCents(dst []byte, cents int64) []byte {
	dst = strconv.AppendInt(dst, cents/100, 10)
	tenths, hundredths := byte(cents/10%10), byte(cents%10)
	dst = append(dst, '.', '0'+tenths)
	if hundredths != 0 {
		dst = append(dst, '0'+hundredths)
	}
	return dst
}

// appendSeconds writes Unix seconds as a float with up to six decimals.
func appendSeconds(dst []byte, t time.Time) []byte {
	micros := t.UnixMicro()
	dst = append(strconv.AppendInt(dst, micros/1e6, 10), '.')
	fraction := micros % 1e6
	for digit := int64(1e5); digit > 0; digit /= 10 {
		dst = append(dst, '0'+byte(fraction/digit))
		if fraction %= digit; fraction == 0 {
			break
		}
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always has a form
		return strconv.AppendQuote(dst, s)
	}
	return append(dst, quoted...)
}

var newYork = sync.OnceValue(func() *time.Location {
	location, err := time.LoadLocation("America/New_York")
	if err != nil { // not with the embedded data
		return time.FixedZone("EST", -5*3600)
	}
	return location
})

// dayCurve is the U of trading volume over the day in New York: three times the
// noon volume at the open and at the close, a fifth of it outside the hours.
func dayCurve(at time.Time) float64 {
	const open, hours = 9.5, 6.5
	_, offset := at.In(newYork()).Zone()
	seconds := (at.Unix() + int64(offset)) % 86400
	x := 2*(float64(seconds)/3600-open)/hours - 1 // -1 at the open, 1 at the close
	if x < -1 || x > 1 {
		return 0.2
	}
	return 1 + 2*x*x*x*x
}
