// Package observe measures the system from outside, on the streams themselves,
// and judges what it measured.
package observe

import (
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

// Facts is what was measured at one moment, to be read only. The zero value
// says that nothing has been measured yet. Times are by this host's clock.
type Facts struct {
	// At is when the last measurement succeeded; zero if none has.
	At time.Time
	// JetStream is whether JetStream answers. While it does not, all else is as
	// last measured.
	JetStream Reach
	// MissingStreams are the streams, and the components' bucket, that do not
	// exist.
	MissingStreams []string
	// Incomplete are the parts of the measurement that fail though JetStream
	// answers; what they measure is as last measured.
	Incomplete []Incomplete
	// ClockOffset is how far the NATS server's clock is ahead of this host's; 0
	// if they agree within half a second.
	ClockOffset time.Duration
	// RateWindow, ActiveWindow and ErrorWindow are what was measured over.
	RateWindow, ActiveWindow, ErrorWindow time.Duration

	// TicksPerSecond stored in TICKS over the rate window, clock marks left out.
	// The window begins no earlier than the bridge's start, than the end of its
	// last gap, and than a backlog was stored; until that is 2 s ago, a backlog
	// counts over the time that it is of.
	TicksPerSecond float64
	// TicksInErrorWindow were stored in TICKS in the error window.
	TicksInErrorWindow int64
	// LastTickAt is when the newest tick was stored; zero if there is none.
	LastTickAt time.Time
	// FirstTickAt is when the first tick of the session was stored; zero if
	// none was yet.
	FirstTickAt time.Time
	// IngestLag is from event time to storage of the newest ticks: the median
	// over the newest tick of each symbol.
	IngestLag time.Duration
	// FeedAhead is by how much the newest ticks are dated ahead of the NATS
	// server's clock: the median, as of IngestLag; 0 where they are behind it.
	FeedAhead time.Duration

	// UniverseSize is how many symbols the session covers.
	UniverseSize int
	// ActiveSymbols of the universe have a tick in the active window.
	ActiveSymbols int
	// StaleSymbols of the universe have none, in the universe's order.
	StaleSymbols []string

	// Partitions of TICKS.
	Partitions int
	// Consumers are the pipeline's consumers of TICKS, by name.
	Consumers []Consumer
	// PipelineMovedAt is when a pipeline last reported to have read more than
	// before; zero if none ever was there.
	PipelineMovedAt time.Time
	// BarsPerMinute are the 1-minute bars stored in a minute that begins and ends at a
	// half minute, so that the burst at a minute's end is in it whole: the last
	// such minute or, if they are more, those stored since.
	BarsPerMinute float64
	// PatternsDetected and IndicatorsCalculated were stored in SIGNALS since
	// the session started, corrections included.
	PatternsDetected     int64
	IndicatorsCalculated int64

	// Rows are the bars, indicators and patterns that wait for the database, and
	// how long the oldest has; zero where no store has ever run.
	Rows Consumer

	// RejectsInWindow were stored in REJECTS in the error window, and
	// RejectReasons are these by reason.
	RejectsInWindow int64
	RejectReasons   map[string]int64
	// GapsInWindow is the subscription gaps published in the error window, and
	// GapTime how long they were together.
	GapsInWindow int64
	GapTime      time.Duration
	// GapEndedAt is when the last of these gaps ended; zero if there is none.
	GapEndedAt time.Time
	// ShedInWindow are the ticks that bridges reported as shed in the error
	// window.
	ShedInWindow int64

	// Components that are present, by what they say of themselves. StoredAt of
	// their reports is by this host's clock, as all times here.
	Components []presence.Report
	// MalformedReports are the keys among the components' reports that hold none.
	MalformedReports []string
	// LastReports is when a component of each role last reported, present or
	// not, as far as was seen.
	LastReports map[string]time.Time
}

// Reach is whether something answers.
type Reach struct {
	OK bool
	// Since is when OK last changed.
	Since time.Time
	// Err is why it does not answer, a short sentence.
	Err string
}

// Incomplete is a part of the measurement that fails.
type Incomplete struct {
	Part string
	// Since is when it began to fail.
	Since time.Time
	Err   string
}

// Consumer is one consumer of TICKS as the server sees it.
type Consumer struct {
	Name    string
	Pending uint64        // not yet acknowledged, delivered or not
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
	// NATS and Redis are the buses that health is published on; the zero value
	// is one that was not tried yet.
	NATS, Redis Reach
	// Database is whether PostgreSQL answers; nil where none is configured.
	Database *Reach
	// Streams is whether the streams could be prepared; the zero value is that
	// this was not tried, or not done yet.
	Streams Reach
	// Audience is who listens to health on Redis; nil where that is not known or
	// nobody is expected to.
	Audience *Audience
	// Stopping is true once the process is asked to end.
	Stopping bool
}

// Audience is who listens to health on Redis.
type Audience struct {
	Channel   string
	Listeners int64
	// LeftAt is when the last of those went that listened as AppV2 does; zero if
	// there never was one, or one is there.
	LeftAt time.Time
}
