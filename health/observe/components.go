package observe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// shedding is how many ticks a bridge gave up, at one time.
type shedding struct {
	at    time.Time
	ticks int64
}

// componentMeter reads what components say of themselves.
type componentMeter struct {
	window time.Duration
	bucket jetstream.KeyValue
	before []presence.Report
	shed   map[string]int64 // by instance, as last reported
	recent []shedding

	consumed map[string]int64 // by instance, as last reported
	moved    time.Time        // when the report came by which one of these had grown
}

func (c *componentMeter) measure(ctx context.Context, m *moment, facts *Facts) error {
	reports, malformed, err := c.list(ctx, m)
	if err != nil {
		return err
	}
	last := maps.Clone(facts.LastReports)
	if last == nil {
		last = map[string]time.Time{}
	}
	for i := range reports {
		report := &reports[i]
		report.StoredAt = m.toLocal(report.StoredAt)
		if heard := report.Heard(); heard.After(last[report.Role]) {
			last[report.Role] = heard
		}
	}
	facts.Components, facts.LastReports, facts.MalformedReports = reports, last, malformed
	facts.ShedInWindow = c.countShed(reports, m.local)
	facts.PipelineMovedAt = c.lastMoved(reports)
	return nil
}

// list returns none where the bucket does not exist, which is told as missing.
func (c *componentMeter) list(ctx context.Context, m *moment) (reports []presence.Report, malformed []string, err error) {
	if c.bucket == nil {
		c.bucket, err = m.js.KeyValue(ctx, stream.ComponentsBucket)
	}
	if err == nil {
		reports, malformed, err = presence.ListAll(ctx, c.bucket)
	}
	if err == nil {
		reports, err = presence.Confirm(ctx, c.bucket, c.before, reports)
	}
	if err == nil {
		c.before = slices.Clone(reports)
		return reports, malformed, nil
	}
	c.bucket = nil
	// A watch is made by the client's older half, which has errors of its own.
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrStreamNotFound) {
		m.miss(stream.ComponentsBucket)
		return nil, nil, nil
	}
	return nil, nil, fmt.Errorf("list components: %w", err)
}

// countShed adds up what the bridges' counters grew by in the window. A counter
// that is new counts if its process is.
func (c *componentMeter) countShed(reports []presence.Report, now time.Time) int64 {
	shed := map[string]int64{}
	for _, report := range reports {
		if report.Bridge == nil {
			continue
		}
		shed[report.Instance] = report.Bridge.Shed
		before, known := c.shed[report.Instance]
		if grown := report.Bridge.Shed - before; grown > 0 && (known || now.Sub(report.StartedAt) <= c.window) {
			c.recent = append(c.recent, shedding{now, grown})
		}
	}
	c.shed = shed
	var sum int64
	kept := c.recent[:0]
	for _, s := range c.recent {
		if now.Sub(s.at) <= c.window {
			kept, sum = append(kept, s), sum+s.ticks
		}
	}
	c.recent = kept
	return sum
}

// lastMoved is when a pipeline last reported to have read more than before.
func (c *componentMeter) lastMoved(reports []presence.Report) time.Time {
	consumed := map[string]int64{}
	for _, report := range reports {
		if report.Pipeline == nil {
			continue
		}
		consumed[report.Instance] = report.Pipeline.Consumed
		if before, known := c.consumed[report.Instance]; !known || report.Pipeline.Consumed != before {
			c.moved = latest(c.moved, report.Heard())
		}
	}
	c.consumed = consumed
	return c.moved
}
