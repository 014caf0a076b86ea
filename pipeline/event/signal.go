package event

import (
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// The kinds of signal, as the third token of their subjects.
const (
	KindIndicator = "indicator"
	KindPattern   = "pattern"
	KindAlert     = "alert"
)

// HighConfidence is where a pattern goes to the high-confidence channel too.
const HighConfidence = 0.8

// BarKey tells which bar a signal was computed on, and in which state: a signal
// with a higher revision takes the place of one of the same name on the same
// bar.
type BarKey struct {
	Symbol    string `json:"symbol"`
	Timeframe string `json:"timeframe"` // "1min"
	Start     Time   `json:"start"`
	End       Time   `json:"end"` // the first moment after the bar
}

// Output is one named number of an indicator.
type Output struct {
	Name  string
	Value float64
}

// Indicator is the value of one indicator on one closed bar, in SIGNALS.
type Indicator struct {
	Type      string `json:"type"`      // "indicator"
	Indicator string `json:"indicator"` // "SMA_20"
	BarKey
	Value  float64            `json:"value"`  // the main output
	Values map[string]float64 `json:"values"` // every output by name
	// Parameters are those of the indicator's definition, such as its period.
	Parameters map[string]any `json:"parameters"`
	SessionID  string         `json:"session_id"`
	Revision   uint32         `json:"revision"`
	// Withdrawn says that the corrected bars give no value; Value and Values
	// are then the last ones that stood.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Sequence in TICKS of the message that closed or corrected the bar.
	Sequence uint64 `json:"sequence"`
}

// IndicatorTemplate is what all values of one indicator have in common.
type IndicatorTemplate struct {
	Name       string
	Outputs    []string // in the order of the values
	Main       int      // which of them is the value
	Parameters []byte   // a JSON object
}

// AppendIndicator appends an [Indicator] as JSON: values in the order of the
// template's outputs, finite all of them.
func AppendIndicator(dst []byte, t *IndicatorTemplate, key BarKey, values []float64, sessionID string, revision uint32, withdrawn bool, sequence uint64) []byte {
	dst = appendString(append(dst, `{"type":"indicator","indicator":`...), t.Name)
	dst = appendBarKey(dst, key.Symbol, key.Timeframe, key.Start, key.End)
	dst = appendFloat(append(dst, `,"value":`...), values[t.Main])
	dst = append(dst, `,"values":{`...)
	for i, name := range t.Outputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendFloat(append(appendString(dst, name), ':'), values[i])
	}
	dst = append(append(dst, `},"parameters":`...), t.Parameters...)
	return appendState(dst, sessionID, revision, withdrawn, sequence)
}

func appendState(dst []byte, sessionID string, revision uint32, withdrawn bool, sequence uint64) []byte {
	dst = appendString(append(dst, `,"session_id":`...), sessionID)
	dst = strconv.AppendUint(append(dst, `,"revision":`...), uint64(revision), 10)
	if withdrawn {
		dst = append(dst, `,"withdrawn":true`...)
	}
	dst = strconv.AppendUint(append(dst, `,"sequence":`...), sequence, 10)
	return append(dst, '}')
}

// Pattern is one candlestick pattern found on one closed bar, in SIGNALS.
type Pattern struct {
	Type    string `json:"type"`    // "pattern"
	Pattern string `json:"pattern"` // "Bullish Engulfing"
	BarKey
	Score      int            `json:"score"`      // TA-Lib's integer, above 0 bullish
	Confidence float64        `json:"confidence"` // 0 to 1
	Direction  string         `json:"direction"`  // "bullish", "bearish" or "neutral"
	Parameters map[string]any `json:"parameters"`
	// The bar that completed the pattern.
	Open   tick.Decimal   `json:"open"`
	High   tick.Decimal   `json:"high"`
	Low    tick.Decimal   `json:"low"`
	Close  tick.Decimal   `json:"close"`
	Volume exact.Quantity `json:"volume"` // shares

	SessionID string `json:"session_id"`
	Revision  uint32 `json:"revision"`
	// Withdrawn says that the corrected bars do not show the pattern; score and
	// confidence are then the last that stood.
	Withdrawn bool   `json:"withdrawn,omitempty"`
	Sequence  uint64 `json:"sequence"`
}

// IndicatorAlert is one crossing of an indicator on the first close of a bar, in
// SIGNALS. It is never revised.
type IndicatorAlert struct {
	Type  string `json:"type"`  // "indicator_alert"
	Alert string `json:"alert"` // "RSI_OVERBOUGHT"
	BarKey
	Indicator string  `json:"indicator"` // "RSI"
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"`
	Direction string  `json:"direction"` // "above" or "below"
	Severity  string  `json:"severity"`  // "info", "warning" or "critical"
	SessionID string  `json:"session_id"`
	Sequence  uint64  `json:"sequence"`
}

// Progress is the last message of each batch that the pipeline publishes for a
// partition: the batch and all before it are the results of TICKS up to Sequence.
// It is published on the condition that the one before it is still the last, so
// of two workers that believe to own a partition one writes.
type Progress struct {
	Type      string `json:"type"` // "progress"
	Partition int    `json:"partition"`
	// Created is when that TICKS was made, Unix nanoseconds.
	Created  int64  `json:"created"`
	Sequence uint64 `json:"sequence"` // in TICKS
	// StoredAt is when the message at Sequence was stored, Unix nanoseconds: a
	// stream that lost its end gives the sequence to another.
	StoredAt int64 `json:"stored_at"`
	// Results of the message at Sequence that are published so far.
	Results int    `json:"results"`
	Worker  string `json:"worker"`
}

// NewProgress is the progress of worker in partition.
func NewProgress(partition int, created int64, sequence uint64, storedAt int64, results int, worker string) Progress {
	return Progress{Type: "progress", Partition: partition, Created: created, Sequence: sequence, StoredAt: storedAt, Results: results, Worker: worker}
}

// SignalID is a UUID that is the same wherever it is derived: of a kind and
// name on one bar of one symbol.
func SignalID(kind, name, symbol, timeframe string, start time.Time) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("tickstream\x00"+kind+"\x00"+name+"\x00"+symbol+"\x00"+timeframe+"\x00"+start.UTC().Format(wireTime)))
}
