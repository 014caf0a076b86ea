package soak

import (
	"context"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// checkResults compares bars, signals, alerts and rejects with a plain
// recomputation of TICKS. It returns what is published, nil where that cannot
// be read.
func (s *Soak) checkResults(ctx context.Context, partitions int, report *Report) *oracle.Published {
	published, err := oracle.ReadPublished(ctx, s.js)
	if err != nil {
		s.problem("what was published cannot be read: %v", err)
		return nil
	}
	rules, err := oracle.DefaultRules()
	if err != nil {
		s.problem("%v", err)
		return nil
	}
	want, plain := oracle.NewOutcome(), oracle.NewPublished()
	for p := range partitions { // one at a time: they are large
		messages, err := oracle.ReadPartition(ctx, s.js, p)
		if err == nil {
			err = uninterrupted(plain, messages)
		}
		if err != nil {
			s.problem("partition %d cannot be computed again: %v", p, err)
			return nil
		}
		want.Add(oracle.Compute(messages, rules))
	}
	findings := published.CompareWith(want, rules, "1min")
	for key := range plain.Alerts {
		if published.Alerts[key] == 0 {
			findings = append(findings, oracle.Finding{Start: time.Unix(key.Start, 0), Text: fmt.Sprintf("alert %v is missing", key)})
		}
	}
	for key := range published.Alerts {
		if plain.Alerts[key] == 0 {
			findings = append(findings, oracle.Finding{Start: time.Unix(key.Start, 0), Text: fmt.Sprintf("alert %v should not be there", key)})
		}
	}
	for _, f := range findings {
		report.row(s.phaseOf(f.Start.Add(time.Minute))).Wrong++
		s.detail("%s", f.Text)
	}
	report.Bars, report.Corrections = len(published.Bars), published.Corrected
	report.Signals, report.Alerts, report.TooLate = len(published.Signals), len(published.Alerts), len(published.TooLate)
	s.checkRefused(published, report)
	return published
}

// phaseOf is the number of the fault that was under way; 0 before the first.
func (s *Soak) phaseOf(at time.Time) uint16 {
	phase := 0
	for i := range s.injected {
		if !at.Before(s.injected[i].from) {
			phase = i + 1
		}
	}
	return uint16(phase) //nolint:gosec // there are few
}

// checkRefused compares what a bridge refused with what was malformed.
func (s *Soak) checkRefused(published *oracle.Published, report *Report) {
	want := map[uint32]*copies{}
	for _, t := range s.ledger.refused {
		c := want[t.sum]
		if c == nil {
			c = &copies{}
			want[t.sum] = c
		}
		if t.hearing == heard {
			c.heard++
		} else {
			c.unsure++
		}
	}
	for payload, n := range published.Refused {
		c := want[crc32.ChecksumIEEE([]byte(payload))]
		report.Refused += n
		if c == nil {
			s.problem("refused, and well-formed: %.120s", payload)
			continue
		}
		c.stored = n
		if over := n - c.heard - c.unsure; over > 0 {
			report.RefusedTwice += over
			s.detail("refused input is kept %d times, published %d times: %.120s", n, c.heard+c.unsure, payload)
		}
	}
	for sum, c := range want {
		if under := c.heard - c.stored; under > 0 {
			report.RefusedMissing += under
			s.detail("refused input with the sum %08x is kept %d times, published %d times", sum, c.stored, c.heard)
		}
	}
}

// checkRows waits until PostgreSQL holds what is published.
func (s *Soak) checkRows(ctx context.Context, published *oracle.Published, report *Report) {
	want, err := published.Rows()
	if err != nil {
		s.problem("%v", err)
		return
	}
	_, err = await(ctx, settleTimeout, func(context.Context) error {
		reading, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		conn, err := pgx.Connect(reading, s.cfg.DatabaseURL)
		if err != nil {
			return fmt.Errorf("connect to the database: %w", err)
		}
		defer func() { _ = conn.Close(reading) }() // it was only read from
		stored, err := oracle.ReadRows(reading, conn)
		if err != nil {
			return err
		}
		wrong, example := oracle.CompareRows(want, stored)
		report.Rows, report.WrongRows = len(stored), wrong
		if wrong > 0 {
			return fmt.Errorf("%d rows differ, such as %s", wrong, example)
		}
		return nil
	})
	if err != nil {
		s.problem("PostgreSQL does not hold what is published %v", err)
	}
}

// uninterrupted computes the alerts of one partition in a run that nothing
// breaks off.
func uninterrupted(into *oracle.Published, messages []oracle.Message) error {
	p, err := aggregate.New(aggregate.Config{}, alertsOnly{into})
	if err != nil {
		return fmt.Errorf("make the aggregation: %w", err)
	}
	for _, m := range messages {
		if m.Tick != nil {
			p.Tick(m.Tick, m.Sequence)
		} else {
			p.Mark(m.Mark, m.Sequence)
		}
	}
	return nil
}

// alertsOnly takes alerts and nothing else.
type alertsOnly struct{ into *oracle.Published }

var _ aggregate.Results = alertsOnly{}

func (alertsOnly) Bar(*event.Bar) {}
func (alertsOnly) BarsDone()      {}
func (alertsOnly) Indicator(*event.IndicatorTemplate, event.BarKey, []float64, uint32, bool) {
}
func (alertsOnly) Pattern(*event.Pattern) {}
func (alertsOnly) TooLate(*tick.Tick)     {}
func (a alertsOnly) Alert(e *event.IndicatorAlert) {
	a.into.Alert(oracle.NewSignalKey(e.Alert, e.BarKey))
}
