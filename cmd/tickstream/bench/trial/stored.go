package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// stored is how many messages of a stream are no clock marks.
func (s *store) stored(ctx context.Context, name string) (int64, error) {
	of, err := s.js.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", name, err)
	}
	info, err := of.Info(ctx, jetstream.WithSubjectFilter(stream.AllClockMarks))
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", name, err)
	}
	n := info.State.Msgs
	for _, marks := range info.State.Subjects {
		n -= marks
	}
	return int64(n), nil //nolint:gosec // messages fit
}

// awaitStored waits until so many ticks are stored, or no more come.
func (s *store) awaitStored(ctx context.Context, name string, ticks int64) error {
	var last int64
	moved := time.Now()
	for {
		n, err := s.stored(ctx, name)
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the ticks: %w", context.Cause(ctx))
		}
		if failed := s.lab.failure(); failed != nil {
			return fmt.Errorf("wait for the ticks: %w", failed)
		}
		switch {
		case err == nil && n >= ticks:
			return nil
		case err == nil && n > last:
			last, moved = n, time.Now()
		case time.Since(moved) > stuckAfter:
			s.lab.log.Warn("no more ticks are stored", "stored", n, "published", ticks, "err", err)
			return nil // what is missing is found on reading
		}
		time.Sleep(askEvery)
	}
}

// reports are what the components of a role say of themselves since a time.
func (s *store) reports(ctx context.Context, role string, since time.Time) []presence.Report {
	bucket, err := s.js.KeyValue(ctx, stream.ComponentsBucket)
	if err != nil {
		return nil
	}
	all, err := presence.List(ctx, bucket)
	if err != nil {
		return nil
	}
	var of []presence.Report
	for _, r := range all {
		if r.Role == role && r.ReportedAt.After(since) {
			of = append(of, r)
		}
	}
	return of
}

// awaitReports waits until so many components of a role have said what is asked
// of each since a time.
func (s *store) awaitReports(ctx context.Context, role string, count int, since time.Time, is func(presence.Report) bool) ([]presence.Report, error) {
	var found []presence.Report
	err := s.lab.await(ctx, startTimeout, "each "+role+" tells of itself", func(ctx context.Context) bool {
		found = nil
		for _, r := range s.reports(ctx, role, since) {
			if is(r) {
				found = append(found, r)
			}
		}
		return len(found) >= count
	})
	return found, err
}
