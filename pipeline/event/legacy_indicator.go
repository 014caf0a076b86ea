package event

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrIndicator is returned by [ReadIndicator] for what is JSON and no
// indicator's value.
var ErrIndicator = errors.New("not an indicator's value")

// IndicatorRelay is an [Indicator] of which only that is decoded which decides
// whether it is sent on; numbers stay as they were written, to the digit.
type IndicatorRelay struct {
	Indicator  string          `json:"indicator"`
	Symbol     string          `json:"symbol"`
	Timeframe  string          `json:"timeframe"`
	End        Time            `json:"end"`
	Value      json.RawMessage `json:"value"`
	Values     json.RawMessage `json:"values"`
	Parameters json.RawMessage `json:"parameters"`
	SessionID  string          `json:"session_id"`
	Withdrawn  bool            `json:"withdrawn"`
}

// ReadIndicator reads an indicator's value as [AppendIndicator] wrote it. The
// error is the syntax's or [ErrIndicator].
func ReadIndicator(data []byte) (IndicatorRelay, error) {
	var i IndicatorRelay
	if err := json.Unmarshal(data, &i); err != nil {
		return IndicatorRelay{}, fmt.Errorf("read indicator: %w", err)
	}
	for _, absent := range []*json.RawMessage{&i.Values, &i.Parameters} {
		if string(*absent) == "null" {
			*absent = nil
		}
	}
	if i.Values != nil {
		members, ok := numbersIn(i.Values)
		if !ok {
			return IndicatorRelay{}, fmt.Errorf("read indicator %.80q: values: %w", data, ErrIndicator)
		}
		if members == 0 {
			i.Values = nil
		}
	}
	if i.Indicator == "" || i.Symbol == "" || i.End.IsZero() || !isNumber(i.Value) || i.Parameters != nil && i.Parameters[0] != '{' {
		return IndicatorRelay{}, fmt.Errorf("read indicator %.80q: %w", data, ErrIndicator)
	}
	return i, nil
}

// AppendStreaming appends the [StreamingIndicator] of i as JSON.
func (i *IndicatorRelay) AppendStreaming(dst []byte) []byte {
	dst = appendString(append(dst, `{"type":"streaming_indicator","event":"indicator_calculated","session_id":`...), i.SessionID)
	dst = i.End.AppendFormat(append(dst, `,"timestamp":"`...), wireTime)
	dst = appendString(append(dst, `","calculation":{"indicator":`...), i.Indicator)
	dst = appendString(append(dst, `,"indicator_type":`...), i.Indicator)
	dst = appendString(append(dst, `,"symbol":`...), i.Symbol)
	dst = append(append(dst, `,"value":`...), i.Value...)
	dst = append(dst, `,"values":`...)
	if i.Values != nil {
		dst = append(dst, i.Values...)
	} else { // AppV2 reads them whatever else there is
		dst = append(append(append(dst, `{"value":`...), i.Value...), '}')
	}
	dst = i.End.AppendFormat(append(dst, `,"timestamp":"`...), wireTime)
	dst = appendString(append(dst, `","timeframe":`...), i.Timeframe)
	dst = append(dst, `,"metadata":`...)
	if i.Parameters != nil {
		dst = append(dst, i.Parameters...)
	} else {
		dst = append(dst, `{}`...)
	}
	return append(append(append(dst, `},"source":"`...), Source...), `"}`...)
}

func isNumber(value json.RawMessage) bool {
	return len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9')
}

// numbersIn counts the members of value, which is valid JSON; not ok unless it
// is an object of numbers.
func numbersIn(value json.RawMessage) (members int, ok bool) {
	if value[0] != '{' {
		return 0, false
	}
	inString, afterColon := false, false
	for i := 1; i < len(value); i++ {
		switch c := value[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == ':':
			members++
			afterColon = true
		case c == ',' || c == '}':
			afterColon = false
		case !afterColon:
			inString = c == '"'
		case c == '"' || c == '{' || c == '[' || c == 't' || c == 'f' || c == 'n':
			return 0, false
		}
	}
	return members, true
}
