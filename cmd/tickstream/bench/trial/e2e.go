package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
)

// EndToEnd is how long after a minute's end its bars and signals are there, with
// a live feed through Redis, bridge and pipeline.
func EndToEnd(ctx context.Context, l *Lab) (*figure.Part, error) {
	part := &figure.Part{
		Name: "e2e: live across minute ends",
		Notes: []string{
			fmt.Sprintf("%d symbols with a tick a second each, %d minute ends a round, all bars close at once.", l.cfg.Symbols, l.cfg.Minutes),
			"From the server's time of storing the message of TICKS (clock mark or tick) that moves the watermark past the minute, to its time of storing the bar, and the last signal on it.",
			fmt.Sprintf("From the last tick: from its time of sending; the lateness of %v and the rest of the minute are part of it.", lateness),
		},
	}
	var bars, signals, ticks spread
	for range l.cfg.Rounds {
		d, err := l.endToEnd(ctx)
		if err != nil {
			return part, err
		}
		if d.missing > 0 || len(d.bar) == 0 {
			part.Problems = append(part.Problems, fmt.Sprintf("e2e: %d bars are missing, %d are there", d.missing, len(d.bar)))
		}
		bars.add(d.bar)
		signals.add(d.signals)
		ticks.add(d.fromTick)
	}
	part.Rows = append(part.Rows, bars.rows("watermark to bar", nil, nil)...)
	part.Rows = append(part.Rows, signals.rows("watermark to last signal", nil, nil)...)
	part.Rows = append(part.Rows, ticks.rows("last tick on Redis to bar", nil, nil)...)
	v := atMost(fmt.Sprintf("bar close to published, %d symbols at once", l.cfg.Symbols), bars.p99(), 20, "ms p99")
	v.Met = v.Met && len(part.Problems) == 0
	part.Verdicts = []figure.Verdict{v}
	return part, nil
}

func (l *Lab) endToEnd(ctx context.Context) (_ closeDelays, err error) {
	limit := time.Duration(l.cfg.Minutes+1)*time.Minute + passTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("e2e was not done in %v", limit))
	defer cancel()
	s, err := l.fresh(ctx, false)
	if err != nil {
		return closeDelays{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	pipeline, err := l.role("pipeline 1", s, "pipeline")
	if err != nil {
		return closeDelays{}, err
	}
	defer func() { err = errors.Join(err, pipeline.Kill()) }()
	carrying, err := openBridge(bridge.ProcessSafe)(ctx, l, s)
	if err != nil {
		return closeDelays{}, err
	}
	defer func() { err = errors.Join(err, carrying.process.Kill()) }()
	_, err = s.awaitReports(ctx, presence.RolePipeline, 1, pipeline.Born(), func(r presence.Report) bool {
		return r.Pipeline != nil && len(r.Pipeline.Partitions) == s.partitions
	})
	if err != nil {
		return closeDelays{}, err
	}

	rate := float64(l.cfg.Symbols)
	now := time.Now()
	last := now.Truncate(time.Minute).Add(time.Duration(l.cfg.Minutes) * time.Minute)
	ticks := int64(rate * (last.Add(lateness + afterLast).Sub(now)).Seconds())
	l.log.Info("living through minute ends", "minutes", l.cfg.Minutes, "until", last.UTC().Format(time.TimeOnly))
	var published load.Result
	if _, err := l.outcome(ctx, &published, "load", l.loadArgs(l.cfg.Symbols, ticks, "--rate", fmt.Sprint(rate))...); err != nil {
		return closeDelays{}, err
	}
	if err := s.awaitStored(ctx, stream.Ticks, ticks); err != nil {
		return closeDelays{}, err
	}
	if err := s.awaitWorked(ctx); err != nil {
		return closeDelays{}, err
	}
	if err := errors.Join(l.stop(carrying.process), l.stop(pipeline)); err != nil {
		return closeDelays{}, err
	}
	return s.closeDelays(ctx)
}

// afterLast is how long the feed goes on after the last bars could close.
const afterLast = 2 * time.Second

// closeDelays reads them from the streams.
func (s *store) closeDelays(ctx context.Context) (closeDelays, error) {
	c := newCloses(lateness)
	err := oracle.Each(ctx, s.js, stream.Ticks, []string{"tickstock.>"}, func(msg jetstream.Msg, _ uint64) error {
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", stream.Ticks, err)
		}
		if stored, ok := stream.ParseStoredTick(msg.Subject()); ok {
			_, sent, ok := load.Parse(msg.Data())
			if !ok {
				return fmt.Errorf("%s holds a tick of somebody else", stream.Ticks)
			}
			c.tick(stored.Partition, stored.Symbol, sent.Truncate(time.Millisecond), sent, meta.Timestamp)
			return nil
		}
		partition, ok := stream.ParseClockMark(msg.Subject())
		var mark event.ClockMark
		if err := json.Unmarshal(msg.Data(), &mark); err != nil || !ok {
			return fmt.Errorf("read %s: %s is no clock mark: %w", stream.Ticks, msg.Subject(), err)
		}
		c.mark(partition, mark.Time.Time, meta.Timestamp)
		return nil
	})
	if err != nil {
		return closeDelays{}, err //nolint:wrapcheck // it says what failed
	}
	for name, filter := range map[string]string{stream.Bars: stream.AllBars, stream.Signals: stream.AllSignals} {
		err := oracle.Each(ctx, s.js, name, []string{filter}, func(msg jetstream.Msg, _ uint64) error {
			meta, err := msg.Metadata()
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			var of struct {
				Symbol    string     `json:"symbol"`
				Timeframe string     `json:"timeframe"`
				End       event.Time `json:"end"`
			}
			if err := json.Unmarshal(msg.Data(), &of); err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			if of.Timeframe == "1min" {
				c.stored(of.Symbol, of.End.Time, meta.Timestamp, name == stream.Signals)
			}
			return nil
		})
		if err != nil {
			return closeDelays{}, err //nolint:wrapcheck // it says what failed
		}
	}
	return c.delays(), nil
}
