package aggregate

import (
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// Results takes what a [Partition] makes of a message, in an order that the
// messages determine. What is pointed to is valid during the call only. Session
// ids are left empty.
type Results interface {
	// Bar is a bar closed or corrected.
	Bar(*event.Bar)
	// BarsDone is called once all bars of a message are out, before the signals
	// on them.
	BarsDone()
	// Indicator is a value on a bar closed or corrected.
	Indicator(t *event.IndicatorTemplate, key event.BarKey, values []float64, revision uint32, withdrawn bool)
	// Pattern is a pattern found, corrected or withdrawn.
	Pattern(*event.Pattern)
	// Alert is a crossing on a bar's first close.
	Alert(*event.IndicatorAlert)
	// TooLate is a tick whose bar can no longer be corrected.
	TooLate(*tick.Tick)
}
