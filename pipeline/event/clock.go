package event

import "time"

// ClockMark says on a partition of TICKS that event time has reached Time: the
// source was being listened to and no tick older than Time less the allowed
// lateness is still to be expected.
type ClockMark struct {
	Type string `json:"type"`
	Time Time   `json:"time"`
}

// NewClockMark marks now.
func NewClockMark(now time.Time) ClockMark { return ClockMark{Type: "clock_mark", Time: At(now)} }
