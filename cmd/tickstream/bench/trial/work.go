package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/ceiling"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
)

// work is one run of pipelines over all of a recording.
type work struct {
	took        time.Duration // from the first partition taken over to the last result stored
	spent       []spent
	allocations map[string]float64
	results     int64 // bars and signals stored
	heap        float64
	rss         float64
	problem     string
}

func (w *work) rate(ticks int64) float64 { return float64(ticks) / w.took.Seconds() }

// work runs so many pipelines over TICKS from its beginning, and checks that
// every tick is in a bar.
func (s *store) work(ctx context.Context, r recording, workers int) (_ *work, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the pipeline was not done in %v", passTimeout))
	defer cancel()
	if err := s.clear(ctx); err != nil {
		return nil, err
	}
	processes := make([]*rig.Process, workers)
	for i := range processes {
		if processes[i], err = s.lab.role("pipeline "+strconv.Itoa(i+1), s, "pipeline"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, processes[i].Kill()) }()
	}
	watching := observe(ctx, append([]*rig.Process{s.process}, processes...)...)
	err = s.awaitWorked(ctx)
	ended := time.Now()
	w := &work{spent: watching.end()}
	if err != nil {
		return nil, err
	}
	reports, err := s.awaitReports(ctx, presence.RolePipeline, workers, ended, func(r presence.Report) bool { return r.Pipeline != nil })
	if err != nil {
		return nil, err
	}
	w.allocations = map[string]float64{}
	for _, report := range reports {
		for _, p := range processes {
			if p.PID() == report.PID {
				w.allocations[p.Name] = float64(report.Usage.Allocations)
			}
		}
		w.results += report.Pipeline.Bars + report.Pipeline.Signals
		w.heap += float64(report.Usage.HeapBytes)
		w.rss += float64(report.Usage.MemoryBytes)
	}
	bars, err := s.js.Stream(ctx, stream.Bars)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", stream.Bars, err)
	}
	w.took = ended.Sub(bars.CachedInfo().State.FirstTime)
	for _, p := range processes {
		if err := s.lab.stop(p); err != nil {
			return nil, err
		}
	}
	w.problem, err = s.checkBars(ctx, r)
	s.lab.log.Info("measured", "workers", workers, "symbols", r.symbols, "ticks", r.ticks, "ticks/s", int(w.rate(r.ticks)), "results", w.results)
	return w, err
}

// awaitWorked waits until all of TICKS is worked through and its results are
// stored.
func (s *store) awaitWorked(ctx context.Context) error {
	var last [2]uint64
	moved := time.Now()
	for {
		left, err := s.unworked(ctx)
		// The results go on while what they come from is not yet acknowledged.
		now := [2]uint64{left, s.resultsStored(ctx)}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the pipeline: %w", context.Cause(ctx))
		}
		if failed := s.lab.failure(); failed != nil {
			return fmt.Errorf("wait for the pipeline: %w", failed)
		}
		switch {
		case err == nil && left == 0:
			return nil
		case err == nil && now != last:
			last, moved = now, time.Now()
		case time.Since(moved) > stuckAfter:
			return errors.Join(err, fmt.Errorf("the pipeline does not get on for %v, %d messages of %s are left: see its log in %s", stuckAfter, left, stream.Ticks, s.lab.cfg.Dir))
		}
		time.Sleep(askEvery)
	}
}

// resultsStored is how many messages the streams of results have got.
func (s *store) resultsStored(ctx context.Context) uint64 {
	var n uint64
	for _, name := range []string{stream.Bars, stream.Signals} {
		if of, err := s.js.Stream(ctx, name); err == nil {
			n += of.CachedInfo().State.LastSeq
		}
	}
	return n
}

// unworked is how many messages of TICKS are not yet worked through.
func (s *store) unworked(ctx context.Context) (uint64, error) {
	var left uint64
	for p := range s.partitions {
		c, err := s.js.Consumer(ctx, stream.Ticks, "pipeline_"+strconv.Itoa(p))
		if err != nil {
			return 0, fmt.Errorf("look up the consumer of partition %d: %w", p, err)
		}
		info := c.CachedInfo()
		left += info.NumPending + uint64(info.NumAckPending) //nolint:gosec // not negative
	}
	return left, nil
}

// checkBars says what is wrong with the bars of a recording; empty for nothing.
func (s *store) checkBars(ctx context.Context, r recording) (string, error) {
	type key struct {
		symbol string
		start  time.Time
	}
	bars := map[key]int64{}
	var ticks int64
	wrong := 0
	err := oracle.Each(ctx, s.js, stream.Bars, []string{"tickstock.bars.1min.*"}, func(msg jetstream.Msg, _ uint64) error {
		var b event.Bar
		if err := json.Unmarshal(msg.Data(), &b); err != nil {
			return fmt.Errorf("read bar: %w", err)
		}
		k := key{b.Symbol, b.Start.Time}
		if _, twice := bars[k]; twice || b.Revision > 0 {
			wrong++
		}
		bars[k] = b.TickCount
		ticks += b.TickCount
		return nil
	})
	if err != nil {
		return "", err //nolint:wrapcheck // it says what failed
	}
	minutes := int64(r.end().Sub(r.start) / time.Minute)
	if ticks == r.ticks && wrong == 0 && int64(len(bars)) <= minutes*int64(r.symbols) {
		return "", nil
	}
	return fmt.Sprintf("the bars of %d symbols hold %d of %d ticks, %d are doubled or corrected", r.symbols, ticks, r.ticks, wrong), nil
}

// consume reads all of TICKS with a raw ordered consumer in a process of its
// own.
func (s *store) consume(ctx context.Context) (ceiling.Cost, []spent, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("the raw consumer was not done in %v", passTimeout))
	defer cancel()
	var cost ceiling.Cost
	p, done, err := s.lab.begin("consumer", "bench", "consume", "--nats", s.url, "--stream", stream.Ticks)
	if err != nil {
		return cost, nil, err
	}
	watching := observe(ctx, p, s.process)
	err = done(ctx, &cost)
	return cost, watching.end(), errors.Join(err, p.Kill())
}
