package store

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// row is one event as values by column.
type row struct {
	table     string
	values    map[string]any
	withdrawn bool
	sessionID string
	key       string // of rows that take each other's place
	revision  uint32

	subject string
	payload []byte
	id      string // of the message
}

// decimal is d without trailing zeros.
func decimal(d tick.Decimal) pgtype.Numeric {
	exponent := int32(-9)
	for d%10 == 0 && exponent < 0 {
		d, exponent = d/10, exponent+1
	}
	return pgtype.Numeric{Int: big.NewInt(int64(d)), Exp: exponent, Valid: true}
}

// number is f to its last digit: a cast of a double would keep fifteen.
func number(f float64) (pgtype.Numeric, error) {
	var n pgtype.Numeric
	if err := n.Scan(strconv.FormatFloat(f, 'f', -1, 64)); err != nil {
		return n, fmt.Errorf("write %v as a number: %w", f, err)
	}
	return n, nil
}

// text is nil where there is none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func object(value any) (any, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return string(data), nil
}

func read[T any](data []byte) (*T, error) {
	value := new(T)
	if err := json.Unmarshal(data, value); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	return value, nil
}

func (s *Store) barRow(_ string, data []byte) (*row, error) {
	b, err := read[event.Bar](data)
	if err != nil {
		return nil, err
	}
	name := s.barTables[b.Timeframe]
	values := map[string]any{
		"symbol": b.Symbol, "timestamp": b.Start.Time,
		// A market day begins at its midnight, so half a day later it is that
		// date in UTC too.
		"date": b.Start.Add(12 * time.Hour).Truncate(24 * time.Hour),
		"open": decimal(b.Open), "high": decimal(b.High), "low": decimal(b.Low), "close": decimal(b.Close),
		"volume": b.Volume.Int64(), "vwap": nil, "transactions": b.TickCount, "tick_count": b.TickCount,
		"session_id": text(b.SessionID), "revision": b.Revision,
		"first_sequence": int64(b.FirstSequence), "last_sequence": int64(b.LastSequence), //nolint:gosec // a stream holds fewer
	}
	if b.VWAP != nil {
		values["vwap"] = decimal(*b.VWAP)
	}
	return &row{table: name, values: values, sessionID: b.SessionID, revision: b.Revision, key: b.Symbol + "\x00" + b.Start.String()}, nil
}

func (s *Store) indicatorRow(_ string, data []byte) (*row, error) {
	i, err := read[event.Indicator](data)
	if err != nil {
		return nil, err
	}
	value, err := number(i.Value)
	if err != nil {
		return nil, err
	}
	values := map[string]any{
		"session_id": text(i.SessionID), "symbol": i.Symbol, "timeframe": i.Timeframe, "revision": i.Revision,
		"indicator_type": i.Indicator, "indicator_name": i.Indicator, "indicator": i.Indicator, "value": value,
		"calculated_at": i.End.Time, "calculation_timestamp": i.End.Time, "expiration_timestamp": i.End.Add(s.cfg.IndicatorsExpire),
	}
	for name, content := range map[string]any{
		"value_data": i.Values, "parameters": i.Parameters,
		"metadata": map[string]any{"bar_start": i.Start, "revision": i.Revision, "session_id": i.SessionID},
	} {
		if values[name], err = object(content); err != nil {
			return nil, err
		}
	}
	return &row{
		table: "intraday_indicators", values: values, withdrawn: i.Withdrawn, revision: i.Revision, sessionID: i.SessionID,
		key: i.Symbol + "\x00" + i.Indicator + "\x00" + i.Timeframe + "\x00" + i.End.String(),
	}, nil
}

func (s *Store) patternRow(_ string, data []byte) (*row, error) {
	p, err := read[event.Pattern](data)
	if err != nil {
		return nil, err
	}
	confidence, err := number(p.Confidence)
	if err != nil {
		return nil, err
	}
	values := map[string]any{
		"session_id": text(p.SessionID), "symbol": p.Symbol, "pattern_type": p.Pattern, "confidence": confidence, "timeframe": p.Timeframe,
		"detected_at": p.End.Time, "detection_timestamp": p.End.Time, "expiration_timestamp": p.End.Add(s.cfg.PatternsExpire),
		"bar_open": decimal(p.Open), "bar_high": decimal(p.High), "bar_low": decimal(p.Low), "bar_close": decimal(p.Close),
		"bar_volume": p.Volume.Int64(), "revision": p.Revision,
	}
	legacy := event.NewStreamingPattern(p).Detection
	for name, content := range map[string]any{
		"parameters": legacy.Parameters, "metadata": legacy.Metadata,
		"pattern_data": map[string]any{"score": p.Score, "direction": p.Direction, "bar_start": p.Start},
		"levels":       map[string]any{"high": p.High, "low": p.Low, "close": p.Close},
	} {
		if values[name], err = object(content); err != nil {
			return nil, err
		}
	}
	return &row{
		table: "intraday_patterns", values: values, withdrawn: p.Withdrawn, revision: p.Revision, sessionID: p.SessionID,
		key: p.Symbol + "\x00" + p.Pattern + "\x00" + p.Timeframe + "\x00" + p.End.String(),
	}, nil
}

func (s *Store) healthRow(_ string, data []byte) (*row, error) {
	e, err := read[event.StreamingHealth](data)
	if err != nil {
		return nil, err
	}
	h := e.Health
	values := map[string]any{
		"session_id": text(h.SessionID), "status": string(h.Status), "active_symbols": h.ActiveSymbols, "measured_at": e.Timestamp.Time,
	}
	for name, f := range map[string]float64{
		"ticks_per_second": h.TicksPerSecond, "bars_per_minute": h.DataFlow.BarsPerMinute, "processing_lag_ms": h.DataFlow.ProcessingLagMs,
		"cpu_percent": h.CPUPercent, "memory_mb": h.MemoryUsageMB,
	} {
		if values[name], err = number(f); err != nil {
			return nil, err
		}
	}
	if values["issues"], err = object(h.Issues); err != nil {
		return nil, err
	}
	if h.SessionID == "" {
		return nil, nil // there is no session that it could be a metric of
	}
	return &row{table: "streaming_health_metrics", values: values, sessionID: h.SessionID, key: h.SessionID + "\x00" + e.Timestamp.String()}, nil
}

func (s *Store) sessionRow(subject string, data []byte) (*row, error) {
	if subject == stream.SessionStarted {
		e, err := read[event.SessionStarted](data)
		if err != nil {
			return nil, err
		}
		return &row{table: "streaming_sessions", sessionID: e.Session.SessionID, values: map[string]any{
			"session_id": text(e.Session.SessionID), "universe": text(e.Session.Universe), "started_at": e.Session.StartedAt.Time, "symbol_count": e.Session.SymbolCount,
		}}, nil
	}
	e, err := read[event.SessionStopped](data)
	if err != nil {
		return nil, err
	}
	return &row{table: "streaming_sessions", sessionID: e.Session.SessionID, values: map[string]any{
		"session_id": text(e.Session.SessionID), "stopped_at": e.Session.StoppedAt.Time, "final_status": text(string(e.Session.FinalStatus)),
		"total_patterns": e.Session.TotalPatterns, "total_indicators": e.Session.TotalIndicators,
	}}, nil
}
