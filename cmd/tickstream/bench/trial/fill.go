package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// recording is what is put into TICKS without a bridge: the symbols take turns,
// and each has a tick every interval.
type recording struct {
	symbols  int
	ticks    int64
	interval time.Duration
	start    time.Time
}

const (
	// markEvery is event time between clock marks, as a bridge writes them.
	markEvery = 5 * time.Second
	fillAhead = 10_000
)

// newRecording is one that ends some minutes ago.
func newRecording(symbols int, ticks int64, interval time.Duration) recording {
	r := recording{symbols: symbols, ticks: ticks, interval: interval}
	r.start = time.Now().Add(-time.Duration(ticks/int64(symbols)+1)*interval - 10*time.Minute).Truncate(time.Minute)
	return r
}

// at is the event time of a tick.
func (r recording) at(n int64) time.Time {
	return r.start.Add(time.Duration(n/int64(r.symbols)) * r.interval)
}

// end is that of the last minute.
func (r recording) end() time.Time { return r.at(r.ticks - 1).Truncate(time.Minute).Add(time.Minute) }

// fill stores it, and a clock mark at the end that closes every bar.
func (s *store) fill(ctx context.Context, r recording) error {
	js, err := jetstream.New(s.nc, jetstream.WithPublishAsyncMaxPending(fillAhead))
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	subjects := make([]string, r.symbols)
	for i := range subjects {
		subjects[i] = stream.TickSubject(load.Symbol(i))
	}
	ticks := load.NewTicks(r.symbols)
	publish := func(subject string, data []byte) error {
		if _, err := js.PublishAsync(subject, data, jetstream.WithStallWait(stuckAfter)); err != nil {
			return fmt.Errorf("fill %s: %w", stream.Ticks, err)
		}
		return nil
	}
	mark := func(at time.Time) error {
		data, err := json.Marshal(event.NewClockMark(at))
		if err != nil {
			return fmt.Errorf("encode a clock mark: %w", err)
		}
		for p := range s.partitions {
			if err := publish(stream.ClockSubject(p), data); err != nil {
				return err
			}
		}
		return nil
	}
	marked := r.start
	for n := range r.ticks {
		at := r.at(n)
		if at.Sub(marked) >= markEvery {
			marked = at
			if err := mark(at.Add(-lateness)); err != nil {
				return err
			}
		}
		if err := publish(subjects[ticks.Symbol(n)], ticks.Append(nil, n, at, time.Now())); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("fill %s: %w", stream.Ticks, context.Cause(ctx))
		}
	}
	if err := mark(r.end()); err != nil {
		return err
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return fmt.Errorf("fill %s: %w", stream.Ticks, context.Cause(ctx))
	}
	stored, err := s.stored(ctx, stream.Ticks)
	if err == nil && stored != r.ticks {
		err = fmt.Errorf("fill %s: %d of %d ticks are stored", stream.Ticks, stored, r.ticks)
	}
	return err
}

// lateness is the default of bridge and pipeline.
const lateness = 2 * time.Second
