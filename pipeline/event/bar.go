package event

import (
	"strconv"
	"time"

	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Bar is one closed bar of a symbol and timeframe, in BARS. A bar with a higher
// revision takes the place of one with the same symbol, timeframe and start.
// Prices and volume are exact decimals.
type Bar struct {
	Type      string         `json:"type"` // "bar"
	Symbol    string         `json:"symbol"`
	Timeframe string         `json:"timeframe"` // "1min"
	Start     Time           `json:"start"`
	End       Time           `json:"end"` // the first moment after the bar
	Open      tick.Decimal   `json:"open"`
	High      tick.Decimal   `json:"high"`
	Low       tick.Decimal   `json:"low"`
	Close     tick.Decimal   `json:"close"`
	Volume    exact.Quantity `json:"volume"` // shares
	// VWAP is null where no shares were traded.
	VWAP      *tick.Decimal `json:"vwap"`
	TickCount int64         `json:"tick_count"`
	// SessionID is the session that ran at the bar's end; empty if none did.
	SessionID string `json:"session_id"`
	Revision  uint32 `json:"revision"` // 0 on the first close
	// FirstSequence and LastSequence of the bar's ticks in TICKS.
	FirstSequence uint64 `json:"first_sequence"`
	LastSequence  uint64 `json:"last_sequence"`
}

// NewBar is an empty bar of symbol and timeframe over [start, end).
func NewBar(symbol, timeframe string, start, end time.Time) Bar {
	return Bar{Type: "bar", Symbol: symbol, Timeframe: timeframe, Start: At(start), End: At(end)}
}

// AppendJSON appends b as encoding/json writes it.
func (b *Bar) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"type":`...)
	dst = appendString(dst, b.Type)
	dst = appendBarKey(dst, b.Symbol, b.Timeframe, b.Start, b.End)
	dst = b.Open.AppendTo(append(dst, `,"open":`...))
	dst = b.High.AppendTo(append(dst, `,"high":`...))
	dst = b.Low.AppendTo(append(dst, `,"low":`...))
	dst = b.Close.AppendTo(append(dst, `,"close":`...))
	dst = b.Volume.AppendTo(append(dst, `,"volume":`...))
	dst = append(dst, `,"vwap":`...)
	if b.VWAP != nil {
		dst = b.VWAP.AppendTo(dst)
	} else {
		dst = append(dst, "null"...)
	}
	dst = strconv.AppendInt(append(dst, `,"tick_count":`...), b.TickCount, 10)
	dst = appendString(append(dst, `,"session_id":`...), b.SessionID)
	dst = strconv.AppendUint(append(dst, `,"revision":`...), uint64(b.Revision), 10)
	dst = strconv.AppendUint(append(dst, `,"first_sequence":`...), b.FirstSequence, 10)
	dst = strconv.AppendUint(append(dst, `,"last_sequence":`...), b.LastSequence, 10)
	return append(dst, '}')
}

// appendBarKey appends the members that tell which bar an event is about.
func appendBarKey(dst []byte, symbol, timeframe string, start, end Time) []byte {
	dst = appendString(append(dst, `,"symbol":`...), symbol)
	dst = appendString(append(dst, `,"timeframe":`...), timeframe)
	dst = start.AppendFormat(append(dst, `,"start":"`...), wireTime)
	dst = end.AppendFormat(append(dst, `","end":"`...), wireTime)
	return append(dst, '"')
}
