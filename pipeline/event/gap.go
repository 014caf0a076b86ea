package event

import "time"

// Gap is an interval in which the bridge was not subscribed to its source:
// what was published in it is lost where the source keeps nothing.
type Gap struct {
	Type            string  `json:"type"`
	Instance        string  `json:"instance"` // the bridge's
	Channel         string  `json:"channel"`
	From            Time    `json:"from"` // last sign of life before
	To              Time    `json:"to"`   // subscribed again
	DurationSeconds float64 `json:"duration_seconds"`
	Reason          string  `json:"reason"`
	Timestamp       Time    `json:"timestamp"`
	Source          string  `json:"source"`
}

// NewGap is the gap of one bridge instance on channel between from and to.
func NewGap(instance, channel string, from, to time.Time, reason string) Gap {
	return Gap{
		Type: "subscription_gap", Instance: instance, Channel: channel,
		From: At(from), To: At(to), DurationSeconds: to.Sub(from).Seconds(),
		Reason: reason, Timestamp: At(to), Source: Source,
	}
}
