package soak

import (
	"context"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
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
	s.usage.sample(ctx)
	if err := rig.StopAll(s.system.Bridges, stopTimeout); err != nil {
		s.problem("%v", err)
	}
	layout, err := stream.Await(ctx, s.js, stream.Config{}, s.log)
	if err != nil {
		return fmt.Errorf("look at TICKS: %w", err)
	}
	partitions := layout.Partitions
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
	if s.cfg.DatabaseURL != "" && published != nil {
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
