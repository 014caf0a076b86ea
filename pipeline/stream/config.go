// Package stream is the one place that spells the names of tickstream's
// JetStream streams, subjects and buckets, and that creates them.
package stream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The streams.
const (
	// Ticks holds each accepted tick, payload bytes unchanged, and clock marks.
	Ticks = "TICKS"
	// Bars holds closed bars; a correction is a new revision.
	Bars = "BARS"
	// Signals holds indicators, patterns and alerts on closed bars.
	Signals = "SIGNALS"
	// Health holds health and session events.
	Health = "HEALTH"
	// Rejects holds refused input with its reason.
	Rejects = "REJECTS"
)

const (
	day = 24 * time.Hour
	gib = 1 << 30

	// DefaultPartitions is the partition count of a TICKS stream that
	// tickstream makes unless told otherwise.
	DefaultPartitions = 8

	metadataManaged    = "tickstream_managed"
	metadataPartitions = "tickstream_partitions"
)

// Config sets the limits of the streams. The zero value of a field leaves what
// an existing stream has, and gives a new one the default.
type Config struct {
	// Partitions of TICKS, fixed when the stream is made. 0 takes what the
	// stream has; a new one gets [DefaultPartitions]. At most 256.
	Partitions int
	// Replicas of every stream and bucket: 1, 3 or 5. Defaults to as many as
	// TICKS has, 1 where there is none.
	Replicas int
	// TicksMaxAge is how long ticks are kept. Defaults to 7 days.
	TicksMaxAge time.Duration
	// TicksMaxBytes bounds TICKS; the oldest go first. Defaults to
	// NewTicksMaxBytes.
	TicksMaxBytes int64
	// NewTicksMaxBytes is the default of TicksMaxBytes for a TICKS that is yet
	// to be made. Defaults to 20 GiB.
	NewTicksMaxBytes int64
	// BarsMaxAge is how long bars are kept. Defaults to 30 days.
	BarsMaxAge time.Duration
	// SignalsMaxAge is how long signals are kept. Defaults to 7 days.
	SignalsMaxAge time.Duration
	// HealthMaxAge is how long health and session events are kept. Defaults to 7 days.
	HealthMaxAge time.Duration
	// RejectsMaxAge is how long rejects are kept. Defaults to 7 days.
	RejectsMaxAge time.Duration
	// RejectsMaxBytes bounds REJECTS; the oldest go first. Defaults to 1 GiB.
	RejectsMaxBytes int64
	// DuplicateWindow is how long JetStream remembers message ids of ticks.
	// It costs memory by rate and length. Defaults to 30 s.
	DuplicateWindow time.Duration
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// withDefaults fills what is zero.
func (c Config) withDefaults() Config {
	orDefault(&c.Replicas, 1)
	orDefault(&c.TicksMaxAge, 7*day)
	orDefault(&c.NewTicksMaxBytes, 20*gib)
	orDefault(&c.TicksMaxBytes, c.NewTicksMaxBytes)
	orDefault(&c.BarsMaxAge, 30*day)
	orDefault(&c.SignalsMaxAge, 7*day)
	orDefault(&c.HealthMaxAge, 7*day)
	orDefault(&c.RejectsMaxAge, 7*day)
	orDefault(&c.RejectsMaxBytes, gib)
	orDefault(&c.DuplicateWindow, 30*time.Second)
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Partitions < 0 || c.Partitions > 256 {
		errs = append(errs, fmt.Errorf("partitions is %d: give 1 to 256, or 0 for what the stream has", c.Partitions))
	}
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		errs = append(errs, fmt.Errorf("replicas is %d: give 1, 3 or 5", c.Replicas))
	}
	for _, age := range []struct {
		name string
		d    time.Duration
	}{
		{"ticks max age", c.TicksMaxAge}, {"bars max age", c.BarsMaxAge}, {"signals max age", c.SignalsMaxAge},
		{"health max age", c.HealthMaxAge}, {"rejects max age", c.RejectsMaxAge},
	} {
		if age.d < time.Minute {
			errs = append(errs, fmt.Errorf("%s is %v: give at least 1m", age.name, age.d))
		}
	}
	for _, size := range []struct {
		name  string
		bytes int64
	}{{"ticks max bytes", c.TicksMaxBytes}, {"rejects max bytes", c.RejectsMaxBytes}} {
		if size.bytes < 1<<20 {
			errs = append(errs, fmt.Errorf("%s is %d: give at least 1 MiB", size.name, size.bytes))
		}
	}
	if c.DuplicateWindow < time.Second || c.DuplicateWindow > c.TicksMaxAge {
		errs = append(errs, fmt.Errorf("duplicate window is %v: give at least 1s and at most the ticks max age", c.DuplicateWindow))
	}
	return errors.Join(errs...)
}

// definitions are the streams that c asks for; partitions must be resolved.
func (c Config) definitions(partitions int) []jetstream.StreamConfig {
	ticks := c.definition(Ticks, c.TicksMaxAge, ticksPublished, AllClockMarks)
	ticks.Description = "each accepted tick, payload bytes unchanged, and clock marks"
	ticks.SubjectTransform = &jetstream.SubjectTransformConfig{
		Source:      ticksPublished,
		Destination: fmt.Sprintf("%s{{partition(%d,1)}}.{{wildcard(1)}}", tickPrefix, partitions),
	}
	ticks.MaxBytes = c.TicksMaxBytes
	ticks.Duplicates = c.DuplicateWindow
	ticks.AllowAtomicPublish = true
	ticks.AllowBatchPublish = true
	ticks.Metadata[metadataPartitions] = strconv.Itoa(partitions)

	bars := c.definition(Bars, c.BarsMaxAge, barPrefix+"*.*", progressOf(Bars))
	bars.Description = "closed bars; a correction is a new revision"
	bars.AllowAtomicPublish = true

	signals := c.definition(Signals, c.SignalsMaxAge, signalPrefix+"*.*.*", progressOf(Signals))
	signals.Description = "indicators, patterns and alerts on closed bars"
	signals.AllowAtomicPublish = true

	health := c.definition(Health, c.HealthMaxAge, "tickstock.health.*", "tickstock.session.*")
	health.Description = "health and session events"

	rejects := c.definition(Rejects, c.RejectsMaxAge, AllRejects, progressOf(Rejects))
	rejects.Description = "refused input: bytes, source, reason"
	rejects.MaxBytes = c.RejectsMaxBytes
	rejects.AllowAtomicPublish = true
	rejects.AllowBatchPublish = true

	return []jetstream.StreamConfig{ticks, bars, signals, health, rejects}
}

// progressOf are the pipeline's progress marks in a stream of its results.
func progressOf(name string) string { return progressPrefix + strings.ToLower(name) + ".*" }

func (c Config) definition(name string, maxAge time.Duration, subjects ...string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:       name,
		Subjects:   subjects,
		Storage:    jetstream.FileStorage,
		Retention:  jetstream.LimitsPolicy,
		Discard:    jetstream.DiscardOld,
		MaxAge:     maxAge,
		MaxBytes:   -1,
		Replicas:   c.Replicas,
		Duplicates: min(2*time.Minute, maxAge),
		// Direct get lets health and replay read without loading the leader.
		AllowDirect: true,
		Metadata:    map[string]string{metadataManaged: "true"},
	}
}
