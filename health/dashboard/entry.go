package dashboard

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// The kinds of entry of the feed.
const (
	kindPattern = "pattern"
	kindSignal  = "alert"
	kindFault   = "fault"
	kindGap     = "gap"
	kindSession = "session"
)

// entry is one line of the feed.
type entry struct {
	At     int64  `json:"at"` // when it was stored, Unix milliseconds
	Kind   string `json:"kind"`
	Tone   string `json:"tone"`
	Symbol string `json:"symbol"` // empty for what is of none
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// signalEntry reads a pattern or an alert; ok is false for anything else.
func signalEntry(subject string, at time.Time, data []byte) (e entry, ok bool) {
	e.At = at.UnixMilli()
	switch {
	case strings.HasPrefix(subject, "tickstock.signals.pattern."):
		var p event.Pattern
		if json.Unmarshal(data, &p) != nil || p.Pattern == "" {
			return e, false
		}
		e.Kind, e.Tone, e.Symbol, e.Title = kindPattern, directionTone(p.Direction), p.Symbol, p.Pattern
		e.Detail = fmt.Sprintf("%s, confidence %.2f, %s", p.Direction, p.Confidence, p.Timeframe)
		if p.Withdrawn {
			e.Tone, e.Detail = toneOff, "withdrawn: the corrected bars do not show it"
		}
		return e, true
	case strings.HasPrefix(subject, "tickstock.signals.alert."):
		var a event.IndicatorAlert
		if json.Unmarshal(data, &a) != nil || a.Alert == "" {
			return e, false
		}
		e.Kind, e.Tone, e.Symbol, e.Title = kindSignal, toneWaiting, a.Symbol, words(a.Alert)
		e.Detail = fmt.Sprintf("%s %.4g, %s %.4g, %s", a.Indicator, a.Value, a.Direction, a.Threshold, a.Timeframe)
		return e, true
	}
	return e, false
}

// healthEntry reads what health tells beside its status.
func healthEntry(subject string, at time.Time, data []byte) (e entry, ok bool) {
	e.At = at.UnixMilli()
	switch subject {
	case stream.HealthAlert:
		var a event.CriticalAlert
		if json.Unmarshal(data, &a) != nil || a.Message == "" {
			return e, false
		}
		e.Kind, e.Tone, e.Title, e.Detail = kindFault, toneBad, a.Message, a.Component
		if a.Recovery != nil {
			e.Tone = toneGood
		} else if a.ActionRequired != nil {
			e.Detail += ": " + *a.ActionRequired
		}
	case stream.HealthGap:
		var g event.Gap
		if json.Unmarshal(data, &g) != nil || g.Channel == "" {
			return e, false
		}
		e.Kind, e.Tone, e.Title = kindGap, toneWarning, fmt.Sprintf("Not subscribed for %.1f s", g.DurationSeconds)
		e.Detail = g.Channel + ": " + g.Reason
	case stream.SessionStarted:
		var s event.SessionStarted
		if json.Unmarshal(data, &s) != nil || s.Session.SessionID == "" {
			return e, false
		}
		e.Kind, e.Tone, e.Title = kindSession, toneWaiting, "Session started"
		e.Detail = fmt.Sprintf("%s, %s, %s", s.Session.Universe, many(int64(s.Session.SymbolCount), "symbol"), s.Session.TriggerType)
	case stream.SessionStopped:
		var s event.SessionStopped
		if json.Unmarshal(data, &s) != nil || s.Session.SessionID == "" {
			return e, false
		}
		e.Kind, e.Tone, e.Title = kindSession, toneWaiting, "Session "+string(s.Session.FinalStatus)
		e.Detail = fmt.Sprintf("%s, %s", many(s.Session.TotalPatterns, "pattern"), many(s.Session.TotalIndicators, "indicator"))
	default:
		return e, false
	}
	return e, true
}

func directionTone(direction string) string {
	switch direction {
	case "bullish":
		return "up"
	case "bearish":
		return "down"
	}
	return toneOff
}

// words is RSI_OVERBOUGHT as RSI overbought: the indicator, then what it did.
func words(alert string) string {
	indicator, what, _ := strings.Cut(alert, "_")
	return indicator + " " + strings.ToLower(strings.ReplaceAll(what, "_", " "))
}
