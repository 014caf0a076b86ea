package soak

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const (
	lookEvery   = 50 * time.Millisecond
	lookTimeout = time.Second
	lookBack    = 64 // messages from the end of TICKS among which is a tick
)

// watch looks at the system from outside: at what is in the streams and on the
// buses, over connections of its own.
type watch struct {
	js      jetstream.JetStream
	system  *rig.System
	ledger  *ledger
	rate    float64
	onRedis atomic.Int64 // Unix ns of the last health event there
}

// listen notes health events on Redis until ctx ends.
func (w *watch) listen(ctx context.Context, client *redis.Client, channel string) {
	sub := client.Subscribe(ctx, channel)
	defer func() { _ = sub.Close() }() // nothing is left to read
	events := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			w.onRedis.Store(time.Now().UnixNano())
		}
	}
}

// newest is the number and the sequence of the last tick in TICKS.
func (w *watch) newest(ctx context.Context) (number uint32, sequence uint64, err error) {
	s, err := w.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return 0, 0, err //nolint:wrapcheck // shown where it lasts
	}
	end := s.CachedInfo().State.LastSeq
	for seq := end; seq > 0 && end-seq < lookBack; seq-- {
		msg, err := s.GetMsg(ctx, seq)
		if err != nil {
			return 0, 0, err //nolint:wrapcheck // shown where it lasts
		}
		if number, ok := numberOf(msg.Data); ok {
			return number, seq, nil
		}
	}
	return 0, 0, errors.New("TICKS ends without a tick")
}

// flows tells why ticks from a number on do not go through, nil where they are
// stored within a second and every partition is worked through beyond them.
func (w *watch) flows(ctx context.Context, from uint32) error {
	number, sequence, err := w.newest(ctx)
	if err != nil {
		return fmt.Errorf("look at TICKS: %w", err)
	}
	last, _ := w.ledger.last()
	if number < from || float64(last)-float64(number) > max(w.rate, 500) {
		return fmt.Errorf("TICKS ends with tick %d while %d are published", number, last)
	}
	return w.workedThrough(ctx, sequence)
}

// workedThrough tells which partition is not worked through up to a sequence.
func (w *watch) workedThrough(ctx context.Context, sequence uint64) error {
	s, err := w.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look at TICKS: %w", err)
	}
	found := 0
	consumers := s.ListConsumers(ctx)
	for info := range consumers.Info() {
		if !strings.HasPrefix(info.Name, "pipeline_") {
			continue
		}
		found++
		if info.NumPending > 0 && info.Delivered.Stream < sequence {
			return fmt.Errorf("consumer %s is at %d of %d", info.Name, info.Delivered.Stream, sequence)
		}
	}
	if err := consumers.Err(); err != nil {
		return fmt.Errorf("look at the consumers of TICKS: %w", err)
	}
	if found == 0 {
		return errors.New("no partition is worked on")
	}
	return nil
}

// healthy tells on which bus no health event came since.
func (w *watch) healthy(ctx context.Context, since time.Time) error {
	if time.Unix(0, w.onRedis.Load()).Before(since) {
		return errors.New("no health event on Redis")
	}
	s, err := w.js.Stream(ctx, stream.Health)
	if err != nil {
		return fmt.Errorf("look at HEALTH: %w", err)
	}
	msg, err := s.GetLastMsgForSubject(ctx, stream.HealthStatus)
	if err != nil {
		return fmt.Errorf("look at HEALTH: %w", err)
	}
	if msg.Time.Before(since) {
		return errors.New("no health event on NATS")
	}
	return nil
}

// stored tells what waits for the database.
func (w *watch) stored(ctx context.Context, _ time.Time) error {
	for _, name := range []string{stream.Bars, stream.Signals} {
		s, err := w.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		consumers := s.ListConsumers(ctx)
		for info := range consumers.Info() {
			if strings.HasPrefix(info.Name, "store") && info.NumPending > 20_000 {
				return fmt.Errorf("%d rows of %s wait for the database", info.NumPending, info.Name)
			}
		}
		if err := consumers.Err(); err != nil {
			return fmt.Errorf("look at the consumers of %s: %w", name, err)
		}
	}
	return nil
}

// reports are what the processes that run now said of themselves since.
func (w *watch) reports(ctx context.Context, since time.Time) (map[int]presence.Report, error) {
	bucket, err := w.js.KeyValue(ctx, stream.ComponentsBucket)
	if err != nil {
		return nil, fmt.Errorf("look at who is present: %w", err)
	}
	all, err := presence.List(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("look at who is present: %w", err)
	}
	byPID := map[int]presence.Report{}
	for _, r := range all {
		if r.ReportedAt.After(since) {
			byPID[r.PID] = r
		}
	}
	return byPID, nil
}

// whole tells what is missing for the system to be as before any fault: since
// then each process has said that it does its part.
func (w *watch) whole(ctx context.Context, since time.Time) error {
	last, _ := w.ledger.last()
	if err := w.flows(ctx, last-min(last, uint32(w.rate))); err != nil {
		return err
	}
	if err := w.healthy(ctx, since); err != nil {
		return err
	}
	reports, err := w.reports(ctx, since)
	if err != nil {
		return err
	}
	leaders := 0
	for _, m := range w.system.Bridges {
		r, ok := reports[m.PID()]
		switch {
		case !ok || r.Bridge == nil:
			return fmt.Errorf("%s says nothing", m.Name)
		case !r.Bridge.Subscribed:
			return fmt.Errorf("%s is not subscribed", m.Name)
		case r.Bridge.SpooledTicks > 0 || float64(r.Bridge.QueuedTicks) > 6*w.rate:
			return fmt.Errorf("%s has %d ticks in memory and %d on disk", m.Name, r.Bridge.QueuedTicks, r.Bridge.SpooledTicks)
		case r.Bridge.State == presence.StateActive:
			leaders++
		}
	}
	if leaders != 1 {
		return fmt.Errorf("%d bridges lead", leaders)
	}
	owned := map[int]bool{}
	for _, m := range w.system.Pipelines {
		r, ok := reports[m.PID()]
		if !ok || r.Pipeline == nil || !r.Pipeline.Works {
			return fmt.Errorf("%s does not work", m.Name)
		}
		if len(r.Pipeline.Partitions) == 0 {
			return fmt.Errorf("%s has no partition", m.Name)
		}
		for _, p := range r.Pipeline.Partitions {
			owned[p.Number] = true
		}
	}
	for _, m := range w.system.Health {
		if _, ok := reports[m.PID()]; !ok {
			return fmt.Errorf("%s says nothing", m.Name)
		}
	}
	return nil
}

// leader is the index of the bridge that leads.
func (w *watch) leader(ctx context.Context) (int, error) {
	reports, err := w.reports(ctx, time.Time{})
	if err != nil {
		return 0, err
	}
	for i, m := range w.system.Bridges {
		if r, ok := reports[m.PID()]; ok && r.Bridge != nil && r.Bridge.State == presence.StateActive {
			return i, nil
		}
	}
	return 0, errors.New("no bridge says that it leads")
}

// await asks until there is nothing to say, and returns how long that took and
// what was said last where it took too long.
func await(ctx context.Context, limit time.Duration, ask func(context.Context) error) (time.Duration, error) {
	began := time.Now()
	for {
		asking, cancel := context.WithTimeout(ctx, lookTimeout)
		err := ask(asking)
		cancel()
		took := time.Since(began)
		if err == nil || ctx.Err() != nil {
			return took, ctx.Err() //nolint:wrapcheck // the run has ended
		}
		if took > limit {
			return took, fmt.Errorf("not within %v: %w", limit, err)
		}
		pause(ctx, lookEvery)
	}
}

// seconds is a duration for people.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s" }
