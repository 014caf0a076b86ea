package event

import "time"

// Severity says how bad an alert is.
type Severity string

// The severities of AppV2's critical alerts.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityError    Severity = "error"
	SeverityCritical Severity = "critical"
)

// Alert is something that an operator must know, or its recovery.
type Alert struct {
	Severity       Severity       `json:"severity"`
	Message        string         `json:"message"`
	Component      string         `json:"component"`
	ActionRequired *string        `json:"action_required"` // what to do; null when nothing is
	Recovery       *string        `json:"recovery"`        // what ended; null while it lasts
	Timestamp      Time           `json:"timestamp"`
	Data           map[string]any `json:"data"` // never null
}

// CriticalAlert is the alert event: flat, and nested for the other generation
// of AppV2.
type CriticalAlert struct {
	Type string `json:"type"`
	Alert
	Nested Alert  `json:"alert"`
	Source string `json:"source"`
}

// NewCriticalAlert tells that component has a fault and what mends it.
func NewCriticalAlert(severity Severity, component, message, mend string, data map[string]any, now time.Time) CriticalAlert {
	alert := Alert{Severity: severity, Message: message, Component: component, Timestamp: At(now), Data: data}
	if mend != "" {
		alert.ActionRequired = &mend
	}
	return newCriticalAlert(alert)
}

// NewRecovery tells that a fault told of with message has ended.
func NewRecovery(component, message string, data map[string]any, now time.Time) CriticalAlert {
	return newCriticalAlert(Alert{
		Severity: SeverityInfo, Message: "Recovered: " + message, Component: component,
		Recovery: &message, Timestamp: At(now), Data: data,
	})
}

func newCriticalAlert(alert Alert) CriticalAlert {
	if alert.Data == nil {
		alert.Data = map[string]any{}
	}
	return CriticalAlert{Type: "critical_alert", Alert: alert, Nested: alert, Source: Source}
}
