// Package doctor finds what is broken: it observes every hop from AppV2's
// publication to the health event, and judges what it saw.
package doctor

import (
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// Facts are what was observed. An error is a short sentence, empty if there was
// none; what could not be observed because of it is zero.
type Facts struct {
	// HealthInterval is the time between two health events.
	HealthInterval time.Duration
	NATS           NATS
	Redis          Redis
	Database       *Database // nil where none is configured
}

// NATS is what was seen there.
type NATS struct {
	URL     string // without password
	Err     string
	RTT     time.Duration
	Version string
	Skew    *time.Duration // the server's clock less ours; nil if unknown

	JetStreamErr string
	Findings     []string // of stream.Verify
	VerifyErr    string

	Components    []presence.Report
	ComponentsErr string
	// Ages of Components' reports, in the same order.
	Ages []time.Duration

	TicksErr     string
	LastTick     *StoredTick // nil while TICKS holds none
	LastMinute   uint64      // ticks stored in the minute before it was looked at
	Grown        uint64      // messages stored while watching
	Watched      time.Duration
	Consumers    []Consumer
	ConsumersErr string
	// PipelineStill is that a pipeline has reported twice and read nothing between.
	PipelineStill bool

	HealthErr     string
	Health        *event.StreamingHealth // the latest
	HealthAge     time.Duration
	SessionActive bool
}

// StoredTick is the newest tick in TICKS.
type StoredTick struct {
	Sequence uint64
	Age      time.Duration // since it was stored
	New      bool          // stored while watching
}

// Consumer is a durable consumer of TICKS.
type Consumer struct {
	Name    string
	Pending uint64 // not yet delivered
	Unacked int
	Lag     time.Duration // age of the oldest that is not acknowledged
}

// Redis is what was seen there.
type Redis struct {
	URL     string // without password
	Err     string
	RTT     time.Duration
	Version string
	Skew    *time.Duration

	// Source is where ticks come in: a channel, or the key of a Redis stream.
	Source         string
	SourceIsStream bool
	// SourceIdle is the age of a Redis stream's last entry; nil if it has none.
	SourceIdle *time.Duration
	// Publishers are clients whose last command published; nil if Redis does
	// not say.
	Publishers        []string
	SubscribersErr    string
	TickSubscribers   int64
	HealthSubscribers int64

	ListenErr string
	Heard     int64 // ticks while listening
	Listened  time.Duration
	// Feed is the source that the first of these named, and FeedAhead by how much
	// it was dated ahead of this machine's clock; nil if none was heard.
	Feed      string
	FeedAhead *time.Duration

	HealthChannel string
	HealthHeard   bool
	HealthWaited  time.Duration
	Heartbeat     *time.Duration // age of the key; nil if there is none
}

// Database is what was seen in PostgreSQL.
type Database struct {
	Err      string
	RTT      time.Duration
	Version  string
	Missing  []string // tables
	Universe string   // the key that was looked for
	// UniverseErr says why the key is not usable.
	UniverseErr string
	Symbols     int
}
