package event

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// StreamingPattern is a pattern as AppV2 reads it, one a message.
type StreamingPattern struct {
	Type      string    `json:"type"`  // "streaming_pattern"
	Event     string    `json:"event"` // "pattern_detected"
	SessionID string    `json:"session_id"`
	Timestamp Time      `json:"timestamp"`
	Detection Detection `json:"detection"`
	Source    string    `json:"source"`
}

// Detection is what was found where.
type Detection struct {
	Pattern     string            `json:"pattern"`
	PatternType string            `json:"pattern_type"`
	Symbol      string            `json:"symbol"`
	Confidence  float64           `json:"confidence"`
	Timestamp   Time              `json:"timestamp"` // the bar's end
	Timeframe   string            `json:"timeframe"`
	Parameters  map[string]any    `json:"parameters"`
	BarData     BarData           `json:"bar_data"`
	Metadata    DetectionMetadata `json:"metadata"`
}

// BarData is the bar that completed a pattern.
type BarData struct {
	Open   tick.Decimal `json:"open"`
	High   tick.Decimal `json:"high"`
	Low    tick.Decimal `json:"low"`
	Close  tick.Decimal `json:"close"`
	Volume int64        `json:"volume"` // whole shares
}

// CandlestickDetection is the detection method of every pattern: the shapes of
// candles, by themselves or over pivots.
const CandlestickDetection = "candlestick"

// DetectionMetadata tells one detection from another.
type DetectionMetadata struct {
	SessionID       string    `json:"session_id"`
	DetectionMethod string    `json:"detection_method"`
	PatternID       uuid.UUID `json:"pattern_id"` // the same for the same bar
	Direction       string    `json:"direction"`
	Revision        uint32    `json:"revision"`
}

// NewStreamingPattern is p as AppV2 reads it.
func NewStreamingPattern(p *Pattern) StreamingPattern {
	parameters := p.Parameters
	if parameters == nil {
		parameters = map[string]any{}
	}
	return StreamingPattern{
		Type: "streaming_pattern", Event: "pattern_detected", SessionID: p.SessionID, Timestamp: p.End, Source: Source,
		Detection: Detection{
			Pattern: p.Pattern, PatternType: p.Pattern, Symbol: p.Symbol, Confidence: p.Confidence,
			Timestamp: p.End, Timeframe: p.Timeframe, Parameters: parameters,
			BarData: BarData{Open: p.Open, High: p.High, Low: p.Low, Close: p.Close, Volume: p.Volume.Int64()},
			Metadata: DetectionMetadata{
				SessionID: p.SessionID, DetectionMethod: CandlestickDetection, Direction: p.Direction, Revision: p.Revision,
				PatternID: SignalID(KindPattern, p.Pattern, p.Symbol, p.Timeframe, p.Start.Time),
			},
		},
	}
}

// StreamingIndicator is an indicator's value as AppV2 reads it.
type StreamingIndicator struct {
	Type        string      `json:"type"`  // "streaming_indicator"
	Event       string      `json:"event"` // "indicator_calculated"
	SessionID   string      `json:"session_id"`
	Timestamp   Time        `json:"timestamp"`
	Calculation Calculation `json:"calculation"`
	Source      string      `json:"source"`
}

// Calculation is one value on one bar.
type Calculation struct {
	Indicator     string             `json:"indicator"`
	IndicatorType string             `json:"indicator_type"`
	Symbol        string             `json:"symbol"`
	Value         float64            `json:"value"`
	Values        map[string]float64 `json:"values"`
	Timestamp     Time               `json:"timestamp"` // the bar's end
	Timeframe     string             `json:"timeframe"`
	Metadata      map[string]any     `json:"metadata"` // such as the period
}

// NewStreamingIndicator is i as AppV2 reads it.
func NewStreamingIndicator(i *Indicator) StreamingIndicator {
	metadata := i.Parameters
	if metadata == nil {
		metadata = map[string]any{}
	}
	return StreamingIndicator{
		Type: "streaming_indicator", Event: "indicator_calculated", SessionID: i.SessionID, Timestamp: i.End, Source: Source,
		Calculation: Calculation{
			Indicator: i.Indicator, IndicatorType: i.Indicator, Symbol: i.Symbol, Value: i.Value, Values: i.Values,
			Timestamp: i.End, Timeframe: i.Timeframe, Metadata: metadata,
		},
	}
}

// StreamingAlert is a crossing as AppV2 reads it: flat, and nested for its
// other generation.
type StreamingAlert struct {
	Type   string `json:"type"` // "indicator_alert"
	Source string `json:"source"`
	Crossing
	Alert Crossing `json:"alert"`
}

// Crossing is what was crossed.
type Crossing struct {
	AlertType string         `json:"alert_type"`
	Symbol    string         `json:"symbol"`
	Timestamp Time           `json:"timestamp"`
	SessionID string         `json:"session_id"`
	Severity  string         `json:"severity"`
	Data      map[string]any `json:"data"`
}

// NewStreamingAlert is a as AppV2 reads it.
func NewStreamingAlert(a *IndicatorAlert) StreamingAlert {
	crossing := Crossing{
		AlertType: a.Alert, Symbol: a.Symbol, Timestamp: a.End, SessionID: a.SessionID, Severity: a.Severity,
		Data: map[string]any{
			"indicator": a.Indicator, "value": a.Value, strings.ToLower(a.Indicator): a.Value,
			"threshold": a.Threshold, "direction": a.Direction, "timeframe": a.Timeframe,
		},
	}
	return StreamingAlert{Type: "indicator_alert", Source: Source, Crossing: crossing, Alert: crossing}
}

// Persistence confirms a stored batch.
type Persistence struct {
	Type      string `json:"type"` // "persistence"
	SessionID string `json:"session_id"`
	Table     string `json:"table"`
	Rows      int    `json:"rows"`
	Timestamp Time   `json:"timestamp"`
}

// NewPersistence confirms rows of a table.
func NewPersistence(sessionID, table string, rows int, now time.Time) Persistence {
	return Persistence{Type: "persistence", SessionID: sessionID, Table: table, Rows: rows, Timestamp: At(now)}
}

// Error is a fault as AppV2's error channel carries it.
type Error struct {
	ErrorID   uuid.UUID    `json:"error_id"`
	Source    string       `json:"source"`
	Severity  Severity     `json:"severity"`
	Message   string       `json:"message"`
	Component string       `json:"component"`
	Timestamp Time         `json:"timestamp"`
	Payload   ErrorPayload `json:"payload"`
}

// ErrorPayload repeats what AppV2's other generation reads.
type ErrorPayload struct {
	Component string `json:"component"`
	Message   string `json:"message"`
}

// NewError is a fault of component; id makes the same fault's id the same.
func NewError(id string, severity Severity, component, message string, now time.Time) Error {
	return Error{
		ErrorID: uuid.NewSHA1(uuid.NameSpaceOID, []byte("tickstream\x00error\x00"+id)), Source: Source, Severity: severity,
		Message: message, Component: component, Timestamp: At(now), Payload: ErrorPayload{Component: component, Message: message},
	}
}

// PatternEvent is a pattern as the channel of AppV2's first generation carries it.
type PatternEvent struct {
	Pattern     string  `json:"pattern"`
	PatternName string  `json:"pattern_name"`
	Symbol      string  `json:"symbol"`
	Confidence  float64 `json:"confidence"`
	Timeframe   string  `json:"timeframe"`
	Timestamp   Time    `json:"timestamp"`
	Source      string  `json:"source"`
}

// NewPatternEvent is p as that channel carries it.
func NewPatternEvent(p *Pattern) PatternEvent {
	return PatternEvent{p.Pattern, p.Pattern, p.Symbol, p.Confidence, p.Timeframe, p.End, Source}
}
