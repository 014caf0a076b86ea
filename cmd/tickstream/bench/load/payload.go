package load

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// firstNumber is added to each tick's number, so that all have as many digits.
const firstNumber = 1_000_000_000

// MaxTicks is how many numbers there are.
const MaxTicks = 9*firstNumber - 1

// The end of each payload: the tick's number and when it was sent.
const (
	numberDigits = 10
	sentDigits   = 19
	beforeNumber = `,"n":`
	beforeSent   = `,"t":`
	tail         = len(beforeNumber) + numberDigits + len(beforeSent) + sentDigits + len("}")
)

// Symbol is the name of the i-th.
func Symbol(i int) string { return fmt.Sprintf("S%05d", i) }

// payload renders ticks of one symbol in AppV2's shape, by writing a few digits
// over a text that is made once.
type payload struct {
	text                           []byte
	cents, timestamp, number, sent int // where their digits are
}

func newPayload(symbol string, i int) payload {
	text := []byte(fmt.Sprintf(`{"type":"market_tick","symbol":%q,"price":%d.00,"volume":%d,"timestamp":1000000000.000`, symbol, 20+i%400, 100+i%50))
	p := payload{cents: bytes.Index(text, []byte(".00,")) + 1, timestamp: len(text) - len("1000000000.000")}
	text = append(text, beforeNumber...)
	p.number = len(text)
	text = append(text, "0000000000"+beforeSent...)
	p.sent = len(text)
	p.text = append(text, "0000000000000000000}"...)
	return p
}

// set makes it the tick of that number, with its event time and its time of
// sending.
func (p *payload) set(number int64, event, sent time.Time) {
	digits(p.text[p.cents:p.cents+2], (number*7)%100)
	millis := event.UnixMilli()
	digits(p.text[p.timestamp:p.timestamp+10], millis/1000)
	digits(p.text[p.timestamp+11:p.timestamp+14], millis%1000)
	digits(p.text[p.number:p.number+numberDigits], firstNumber+number)
	digits(p.text[p.sent:p.sent+sentDigits], sent.UnixNano())
}

// digits writes n over all of dst.
func digits(dst []byte, n int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}

// Parse reads the number and the time of sending of a payload.
func Parse(payload []byte) (number int64, sent time.Time, ok bool) {
	if len(payload) < tail {
		return 0, time.Time{}, false
	}
	end := payload[len(payload)-tail:]
	if !bytes.HasPrefix(end, []byte(beforeNumber)) {
		return 0, time.Time{}, false
	}
	end = end[len(beforeNumber):]
	n, err := strconv.ParseInt(string(end[:numberDigits]), 10, 64)
	at, err2 := strconv.ParseInt(string(end[numberDigits+len(beforeSent):numberDigits+len(beforeSent)+sentDigits]), 10, 64)
	return n - firstNumber, time.Unix(0, at), err == nil && err2 == nil
}
