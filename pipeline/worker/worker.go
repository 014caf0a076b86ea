package worker

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/tick"
	"golang.org/x/sync/errgroup"
)

// retryAfter is the time between two attempts to own a partition where the
// first one failed.
const retryAfter = time.Second

// Worker runs the pipeline on its share of the partitions.
type Worker struct {
	cfg      Config
	js       jetstream.JetStream
	log      *slog.Logger
	decoder  tick.Limits
	counters counters
	sessions sessions
	presses  map[string]*press // by stream

	share  atomic.Pointer[share]
	states atomic.Pointer[[]atomic.Pointer[presence.Partition]]
}

// barsLinger is longer than the clock marks of all partitions are apart.
const barsLinger = 3 * time.Millisecond

// New makes a worker on the streams of js.
func New(cfg Config, js jetstream.JetStream, log *slog.Logger) (*Worker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("pipeline settings: %w", err)
	}
	cfg = cfg.withDefaults()
	w := &Worker{cfg: cfg, js: js, log: log, decoder: cfg.limits(), sessions: sessions{js: js}, presses: map[string]*press{}}
	for _, name := range []string{stream.Bars, stream.Signals, stream.Rejects} {
		w.presses[name] = &press{js: js}
	}
	w.presses[stream.Signals].first = w.presses[stream.Bars]
	w.presses[stream.Bars].linger = barsLinger
	return w, nil
}

// Run works on the partitions of TICKS, of which there are so many, until ctx
// ends; then it stores the state of those it owns and gives them up. What
// fails is tried again.
func (w *Worker) Run(ctx context.Context, partitions int) error {
	s := newShare(w.js, w.cfg.Instance, partitions)
	w.share.Store(s)
	states := make([]atomic.Pointer[presence.Partition], partitions)
	w.states.Store(&states)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.run(ctx) }) // ends with ctx
	scan := newScan(w.js, w.log, partitions)
	group.Go(func() error { return scan.run(ctx) }) // ends with ctx
	group.Go(func() error {                         // ends with ctx
		for ctx.Err() == nil {
			if err := w.sessions.follow(ctx); ctx.Err() == nil {
				w.log.Debug("sessions not followed, trying again", "err", err)
			}
			pause(ctx, retryAfter)
		}
		return nil
	})
	leases := stream.OpenBucket(w.js, stream.LeasesBucket)
	for p := range partitions {
		candidacy, err := lease.New(lease.Config{
			Key: LeaseKey(p), Holder: w.cfg.Instance, TTL: stream.LeaseTTL,
			Wanted: func() bool { return s.wants(p) },
		}, leases, w.log)
		if err != nil {
			return fmt.Errorf("lease of partition %d: %w", p, err)
		}
		group.Go(func() error { // ends with ctx
			return candidacy.Run(ctx, func(ctx context.Context) error {
				w.own(ctx, s, scan, p, &states[p])
				return nil
			})
		})
	}
	return group.Wait() //nolint:wrapcheck // by its parts
}

// own has one tenure of a partition.
func (w *Worker) own(ctx context.Context, s *share, scan *scan, partition int, state *atomic.Pointer[presence.Partition]) {
	held := ctx
	ctx, giveUp := context.WithCancel(held)
	defer giveUp()
	s.own(partition, giveUp)
	defer s.disown(partition)
	defer state.Store(nil)
	t, err := w.newTenure(partition, s.partitions, state)
	if err == nil {
		t.scan = scan
		err = t.run(ctx, held)
	}
	if err != nil {
		w.log.Warn("partition given up, trying again", "partition", partition, "err", err)
		pause(ctx, retryAfter)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (w *Worker) newTenure(partition, partitions int, state *atomic.Pointer[presence.Partition]) (*tenure, error) {
	decoder, err := tick.NewDecoder(w.decoder)
	if err != nil {
		return nil, fmt.Errorf("make tick decoder: %w", err)
	}
	t := &tenure{
		cfg: w.cfg, js: w.js, log: w.log, partition: partition, partitions: partitions, counters: &w.counters, state: state,
		decoder: decoder, checkpoints: checkpoints{partition: partition},
	}
	writer := w.cfg.Instance + "/" + rand.Text()[:8] // of this tenure alone
	outbox := func(name string, published *atomic.Int64) *outbox {
		o := newOutbox(w.js, w.presses[name], name, partition, writer, w.log, &w.counters.failures, published, t.settle)
		o.telemetry = w.cfg.Telemetry
		return o
	}
	t.results = &results{
		bars:     outbox(stream.Bars, &w.counters.bars),
		signals:  outbox(stream.Signals, &w.counters.signals),
		rejects:  outbox(stream.Rejects, &w.counters.rejected),
		sessions: &w.sessions, counters: &w.counters,
	}
	return t, nil
}

// Report is what only this worker knows, for its presence.
func (w *Worker) Report() *presence.Pipeline {
	report := &presence.Pipeline{
		Works:           true,
		Consumed:        w.counters.consumed.Load(),
		Bars:            w.counters.bars.Load(),
		Corrections:     w.counters.corrections.Load(),
		Signals:         w.counters.signals.Load(),
		Rejected:        w.counters.rejected.Load(),
		PublishFailures: w.counters.failures.Load(),
	}
	if states := w.states.Load(); states != nil {
		for i := range *states {
			if state := (*states)[i].Load(); state != nil {
				report.Partitions = append(report.Partitions, *state)
			}
		}
	}
	return report
}
