// Package observe measures the system from outside, on the streams themselves,
// and judges what it measured.
package observe

import (
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

// Facts is what was measured at one moment. The zero value says that nothing
// has been measured yet.
type Facts struct {
	// At is when the last measurement succeeded; zero if none has.
	At time.Time
	// JetStream is whether JetStream answers.
	JetStream Reach

	// TicksPerSecond stored in TICKS over the rate window, clock marks left out.
	TicksPerSecond float64
	// LastTickAt is when the newest tick was stored; zero if there is none.
	LastTickAt time.Time
	// FirstTickAt is when the first tick of the session was stored; zero if
	// none was yet.
	FirstTickAt time.Time
	// IngestLag is from event time to storage of the newest ticks.
	IngestLag time.Duration

	// UniverseSize is how many symbols the session covers.
	UniverseSize int
	// ActiveSymbols of the universe have a tick in the active window.
	ActiveSymbols int
	// StaleSymbols of the universe have none, in the universe's order.
	StaleSymbols []string

	// Consumers are the pipeline's consumers of TICKS.
	Consumers []Consumer
	// BarsPerMinute and the two counts are measured on BARS and SIGNALS.
	BarsPerMinute        float64
	PatternsDetected     int64 // in the session
	IndicatorsCalculated int64 // in the session

	// RejectsInWindow were stored in REJECTS in the error window.
	RejectsInWindow int64
	// GapsInWindow is the subscription gaps published in the error window.
	GapsInWindow int64

	// Components that are present, by what they say of themselves.
	Components []presence.Report
}

// Reach is whether something answers.
type Reach struct {
	OK bool
	// Since is when OK last changed.
	Since time.Time
	// Err is why it does not answer, a short sentence.
	Err string
}

// Consumer is one consumer of TICKS as the server sees it.
type Consumer struct {
	Name    string
	Pending uint64        // not yet delivered
	Lag     time.Duration // age of the oldest tick not yet acknowledged; 0 when none waits
}

// Surroundings is what the judge must know beside the measurements.
type Surroundings struct {
	Now time.Time
	// StartedAt is when the monitor's process started.
	StartedAt time.Time
	// MarketOpen is whether ticks are to be expected now.
	MarketOpen bool
	// MarketOpenedAt is when MarketOpen last became true; zero if unknown.
	MarketOpenedAt time.Time
	// NATS and Redis are the buses that health is published on.
	NATS, Redis Reach
	// Database is whether PostgreSQL answers; nil where none is configured.
	Database *Reach
	// Stopping is true once the process is asked to end.
	Stopping bool
}
