package dashboard

import (
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/pipeline/event"
)

// point is what the charts show of one health event.
type point struct {
	At     int64        `json:"at"` // Unix milliseconds
	Status event.Status `json:"status"`
	Ticks  float64      `json:"ticks"`  // a second
	Lag    float64      `json:"lag"`    // milliseconds
	Bars   float64      `json:"bars"`   // a minute
	Active int          `json:"active"` // symbols
	Stale  int          `json:"stale"`
}

func newPoint(e event.StreamingHealth) point {
	h := e.Health
	return point{
		At: h.Timestamp.UnixMilli(), Status: h.Status, Ticks: h.TicksPerSecond, Lag: h.DataFlow.ProcessingLagMs,
		Bars: h.DataFlow.BarsPerMinute, Active: h.ActiveSymbols, Stale: h.StaleSymbols.Count,
	}
}

// eventTime is when the event of s was made, in Unix milliseconds; 0 before the
// first.
func eventTime(s health.Snapshot) int64 {
	if s.Payload == nil {
		return 0
	}
	return s.Event.Health.Timestamp.UnixMilli()
}
