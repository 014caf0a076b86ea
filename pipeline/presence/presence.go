// Package presence lets each running component say, in a NATS key-value bucket
// with a TTL, that it runs and what only it can know. Who observes the system
// sees a component that died or hangs by its silence.
package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The roles.
const (
	RoleBridge   = "bridge"
	RolePipeline = "pipeline"
	RoleHealth   = "health"
)

// The states of a bridge: the active one stores what it reads, one on standby
// reads only to take over without a gap.
const (
	StateActive  = "active"
	StateStandby = "standby"
)

// Interval between two reports of a component.
const Interval = 2 * time.Second

// Report is what a component says of itself.
type Report struct {
	Role       string    `json:"role"`
	Instance   string    `json:"instance"` // unique a process
	Host       string    `json:"host"`
	PID        int       `json:"pid"`
	Version    string    `json:"version"`
	StartedAt  time.Time `json:"started_at"`
	ReportedAt time.Time `json:"reported_at"` // by the component's own clock
	StoredAt   time.Time `json:"-"`           // by the NATS server's; set where it is read
	Usage      Usage     `json:"usage"`
	Bridge     *Bridge   `json:"bridge,omitempty"`
	Egress     *Egress   `json:"egress,omitempty"` // of a bridge
	Pipeline   *Pipeline `json:"pipeline,omitempty"`
	Store      *Store    `json:"store,omitempty"` // of a pipeline
	Health     *Health   `json:"health,omitempty"`
}

// Heard is when the report came: by a clock that its component does not set,
// where that is known.
func (r Report) Heard() time.Time {
	if r.StoredAt.IsZero() {
		return r.ReportedAt
	}
	return r.StoredAt
}

// Usage is what the component's process uses.
type Usage struct {
	CPUPercent    float64 `json:"cpu_percent"` // of one core
	MemoryBytes   uint64  `json:"memory_bytes"`
	MemoryPercent float64 `json:"memory_percent"`
	HeapBytes     uint64  `json:"heap_bytes"`  // in use after the last garbage collection
	Allocations   uint64  `json:"allocations"` // of objects, since the process started
	Threads       int     `json:"threads"`
	Goroutines    int     `json:"goroutines"`
}

// Bridge is what only a bridge knows. Counters start with its process.
type Bridge struct {
	Source           string           `json:"source"`          // channel or stream
	State            string           `json:"state,omitempty"` // active or standby; empty is active
	Subscribed       bool             `json:"subscribed"`
	Subscriptions    int64            `json:"subscriptions"`      // how often it subscribed
	FailedConnects   int64            `json:"failed_connects"`    // how often it could not
	Gaps             int64            `json:"gaps"`               // how often a subscription was lost
	Received         int64            `json:"received"`           // messages read from the source
	Stored           int64            `json:"stored"`             // ticks acknowledged by JetStream
	Rejected         map[string]int64 `json:"rejected"`           // by reason
	Symbols          int64            `json:"symbols"`            // whose ticks it takes
	Shed             int64            `json:"shed"`               // ticks given up because memory and disk were full
	QueuedTicks      int64            `json:"queued_ticks"`       // read and not yet acknowledged
	QueuedBytes      int64            `json:"queued_bytes"`       // memory that these take
	SpooledTicks     int64            `json:"spooled_ticks"`      // of these, on disk
	SpooledBytes     int64            `json:"spooled_bytes"`      // disk that these take
	SpoolMaxBytes    int64            `json:"spool_max_bytes"`    // that these may take; 0 where there is no spool
	SpoolDamaged     int64            `json:"spool_damaged"`      // bytes of it that could not be read when the process began
	SpoolFailure     string           `json:"spool_failure"`      // why nothing can be spooled; empty while it can
	ClockOffMs       int64            `json:"clock_off_ms"`       // by which the system's clock was stepped and is not believed yet
	PublishFailures  int64            `json:"publish_failures"`   // batches that had to be tried again
	PublishBlockedMs int64            `json:"publish_blocked_ms"` // since the last acknowledgement while ticks wait; 0 when none do
}

// Pipeline is what only a pipeline worker knows.
type Pipeline struct {
	Works           bool        `json:"works"`            // owns partitions, or is ready to
	Partitions      []Partition `json:"partitions"`       // those that it owns
	Consumed        int64       `json:"consumed"`         // messages of TICKS; counters start with the process
	Bars            int64       `json:"bars"`             // stored, corrections included
	Corrections     int64       `json:"corrections"`      // of bars
	Signals         int64       `json:"signals"`          // stored
	Rejected        int64       `json:"rejected"`         // ticks that were refused
	PublishFailures int64       `json:"publish_failures"` // batches that had to be tried again
}

// Egress is what only the sender of results to Redis knows. Counters start with
// its process.
type Egress struct {
	Active    bool               `json:"active"` // holds the lease
	Channels  map[string]Channel `json:"channels"`
	Pending   map[string]uint64  `json:"pending"`   // results that wait, by consumer
	Failures  int64              `json:"failures"`  // round trips that had to be tried again
	TooOld    int64              `json:"too_old"`   // results that were not sent for their age
	Malformed int64              `json:"malformed"` // results that could not be read
}

// Channel is what went out on one Redis channel.
type Channel struct {
	Published int64 `json:"published"`
	Receivers int64 `json:"receivers"` // of the last event
	Unheard   int64 `json:"unheard"`   // events that nobody received
}

// Store is what only the writer to PostgreSQL knows. Counters start with its
// process.
type Store struct {
	Active   bool              `json:"active"` // holds the lease
	Rows     map[string]int64  `json:"rows"`   // stored, by table
	Refused  map[string]int64  `json:"refused"`
	Skipped  map[string]string `json:"skipped"` // tables that do not fit, and why
	Error    string            `json:"error"`   // the last one since rows were stored; empty where there is none
	StoredAt time.Time         `json:"stored_at"`
}

// Health is what only health knows.
type Health struct {
	Listeners int64     `json:"listeners"` // on Redis, to health
	LeftAt    time.Time `json:"left_at"`   // when the last one went that was like AppV2; zero if none was or one is there
}

// Partition is how far a worker is in one partition.
type Partition struct {
	Number    int       `json:"partition"`
	Watermark time.Time `json:"watermark"` // event time up to which its bars are closed
	Sequence  uint64    `json:"sequence"`  // of TICKS
	Symbols   int       `json:"symbols"`
}

// Announcer reports one component for as long as it runs.
type Announcer struct {
	bucket func(context.Context) (jetstream.KeyValue, error)
	report func() Report
	log    *slog.Logger
}

// NewAnnouncer makes an announcer of what report returns at each [Interval].
// The bucket is looked up when needed, so that it may come into being later.
func NewAnnouncer(bucket func(context.Context) (jetstream.KeyValue, error), report func() Report, log *slog.Logger) *Announcer {
	return &Announcer{bucket: bucket, report: report, log: log}
}

// Run reports at once, then at each interval, and takes the report back when
// ctx ends. NATS being away is not an error: the silence is the message.
func (a *Announcer) Run(ctx context.Context) error {
	ticker := time.NewTicker(Interval)
	defer ticker.Stop()
	for {
		if err := a.announce(ctx); err != nil && ctx.Err() == nil {
			a.log.Debug("component report not stored", "err", err)
		}
		select {
		case <-ctx.Done():
			a.withdraw()
			return nil
		case <-ticker.C:
		}
	}
}

func (a *Announcer) announce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, Interval)
	defer cancel()
	bucket, err := a.bucket(ctx)
	if err != nil {
		return fmt.Errorf("open components bucket: %w", err)
	}
	report := a.report()
	report.ReportedAt = time.Now().UTC()
	value, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode component report: %w", err)
	}
	if _, err := bucket.Put(ctx, key(report), value); err != nil {
		return fmt.Errorf("store component report: %w", err)
	}
	return nil
}

func (a *Announcer) withdraw() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	bucket, err := a.bucket(ctx)
	if err == nil {
		err = bucket.Purge(ctx, key(a.report()))
	}
	if err != nil {
		a.log.Debug("component report left to expire", "err", err)
	}
}

func key(r Report) string { return r.Role + "." + r.Instance }
