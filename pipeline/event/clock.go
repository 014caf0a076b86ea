package event

import "time"

// ClockMark says on a partition of TICKS that event time is complete up to
// Time: the source was being listened to, and the allowed lateness is already
// taken off.
type ClockMark struct {
	Type string `json:"type"` // "clock_mark"
	Time Time   `json:"time"`
}

// NewClockMark marks that event time is complete up to t.
func NewClockMark(t time.Time) ClockMark { return ClockMark{Type: "clock_mark", Time: At(t)} }
