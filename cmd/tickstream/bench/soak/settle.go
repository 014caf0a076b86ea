package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
)

// settle lets the system work through all, stops it part by part, and checks
// what is in the streams and in the database.
func (s *Soak) settle(ctx context.Context, report *Report) error {
	whole := time.Now()
	drained := func(ctx context.Context) error { return s.drained(ctx, whole) }
	if _, err := await(ctx, settleTimeout, drained); err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.problem("the bridges have not stored all %v", err)
	}
	layout, err := stream.Await(ctx, s.js, stream.Config{}, s.log)
	if err != nil {
		return fmt.Errorf("look at TICKS: %w", err)
	}
	partitions := layout.Partitions
	if _, err := await(ctx, settleTimeout, func(ctx context.Context) error { return s.marked(ctx, partitions, whole.Add(lastCorrections)) }); err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.problem("bars are not closed %v", err)
	}
	if err := rig.StopAll(s.system.Bridges, stopTimeout); err != nil {
		s.problem("%v", err)
	}
	acknowledged := func(ctx context.Context) error {
		if !oracle.WorkedThrough(ctx, s.js, partitions) {
			return fmt.Errorf("not all of TICKS is acknowledged")
		}
		return nil
	}
	if _, err := await(ctx, settleTimeout, acknowledged); err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.problem("the pipelines have not worked through all %v", err)
	}
	s.log.Info("checking every tick")
	s.checkTicks(ctx, report)
	s.log.Info("computing every bar and signal again")
	published := s.checkResults(ctx, partitions, report)
	if s.system.DatabaseURL != "" && published != nil {
		s.checkRows(ctx, published, report)
	}
	if err := rig.StopAll(append(s.system.Pipelines, s.system.Health...), stopTimeout); err != nil {
		s.problem("%v", err)
	}
	report.Processes = s.usage.judge(s.problem)
	s.mu.Lock()
	defer s.mu.Unlock()
	report.Problems = s.problems
	report.sum()
	return ctx.Err() //nolint:wrapcheck // interrupted
}

// lastCorrections is how long after the last tick its correction is out, in the
// stream's time: the pipeline gathers them for a second.
const lastCorrections = 3 * time.Second

// marked tells which partition has no clock mark beyond a time yet.
func (s *Soak) marked(ctx context.Context, partitions int, beyond time.Time) error {
	ticks, err := s.js.Stream(ctx, stream.Ticks)
	if err != nil {
		return fmt.Errorf("look at TICKS: %w", err)
	}
	for p := range partitions {
		msg, err := ticks.GetLastMsgForSubject(ctx, stream.ClockSubject(p))
		if err != nil {
			return fmt.Errorf("look at the marks of partition %d: %w", p, err)
		}
		var mark event.ClockMark
		if err := json.Unmarshal(msg.Data, &mark); err != nil {
			return fmt.Errorf("read a mark of partition %d: %w", p, err)
		}
		if mark.Time.Before(beyond) {
			return fmt.Errorf("partition %d is marked up to %v", p, mark.Time.Time)
		}
	}
	return nil
}

// drained tells which bridge still has ticks that are not stored.
func (s *Soak) drained(ctx context.Context, since time.Time) error {
	if err := s.watch.whole(ctx, since); err != nil {
		return err
	}
	reports, err := s.watch.reports(ctx, since)
	if err != nil {
		return err
	}
	for _, m := range s.system.Bridges {
		if r := reports[m.PID()]; r.Bridge == nil || r.Bridge.QueuedTicks > 0 {
			return fmt.Errorf("%s has not let go of all", m.Name)
		}
	}
	return nil
}
