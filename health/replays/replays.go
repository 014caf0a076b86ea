// Package replays runs replays that people ask for while the system runs, from
// the dashboard or over NATS: one at a time, to a Redis channel of their own.
package replays

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
)

const progressEvery = 250 * time.Millisecond

var (
	// ErrBusy comes from [Replays.Start] while a replay runs.
	ErrBusy = errors.New("a replay runs already: cancel it first, or wait for its end")
	// ErrNone comes from [Replays.Stop] while none does.
	ErrNone = errors.New("no replay runs")
)

// Deps are what replays work with. All are required.
type Deps struct {
	JetStream jetstream.JetStream
	// OpenSink opens a Redis channel for a replay, or says in one sentence why
	// ticks must not go there.
	OpenSink func(ctx context.Context, channel string) (replay.Sink, error)
	Log      *slog.Logger
}

// job is the one replay that runs.
type job struct {
	order  order
	id     string
	replay *replay.Replay
	began  time.Time
	cancel chan struct{}
	once   sync.Once
}

// Replays owns replays: one at a time, which ends with [Replays.Run].
type Replays struct {
	deps Deps
	log  *slog.Logger
	jobs chan *job

	mu      sync.Mutex
	busy    bool // one runs, or is being prepared
	now     *job // the one that runs
	state   State
	changed []func(State)
}

// New makes replays, which propose channel; nothing runs yet.
func New(channel string, deps Deps) (*Replays, error) {
	if deps.JetStream == nil || deps.OpenSink == nil || deps.Log == nil {
		return nil, errors.New("replays: JetStream, OpenSink and Log must be set")
	}
	return &Replays{deps: deps, log: deps.Log, jobs: make(chan *job, 1), state: Idle(true, channel)}, nil
}

// Follow has f told of the state: now, and each time that it changes. It must
// not wait.
func (r *Replays) Follow(f func(State)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = append(r.changed, f)
	f(r.state)
}

// State is how far the replay is that runs, or how the last one ended.
func (r *Replays) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Run runs what is asked for until ctx ends, and returns nil. Run once.
func (r *Replays) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-r.jobs:
			r.execute(ctx, j)
		}
	}
}

// Start has a replay run that somebody asks for, by whom the log says. Another
// one that runs is [ErrBusy]; what cannot be done is a sentence.
func (r *Replays) Start(ctx context.Context, request Request, by string) error {
	o, err := request.order(time.Now())
	if err != nil {
		return err
	}
	o.by = by
	if !r.reserve() {
		return ErrBusy
	}
	j, err := r.prepare(ctx, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.busy = false
		return err
	}
	r.now = j
	r.show(j.state(phaseRunning, nil))
	r.jobs <- j // there is room: nobody else has reserved
	return nil
}

func (r *Replays) reserve() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		return false
	}
	r.busy = true
	return true
}

// prepare opens the sink and finds the range.
func (r *Replays) prepare(ctx context.Context, o order) (*job, error) {
	sink, err := r.deps.OpenSink(ctx, o.channel)
	if err != nil {
		return nil, err //nolint:wrapcheck // a sentence for who asks
	}
	cfg := replay.Config{From: o.from, To: o.to, Speed: o.speed, Symbols: o.symbols}
	if err := cfg.Validate(); err != nil {
		return nil, err //nolint:wrapcheck // a sentence for who asks
	}
	if !o.to.IsZero() {
		// By its sequence the end tells how much of the range is done.
		behind, err := stream.Read(ctx, r.deps.JetStream, stream.Ticks, 1, jetstreamext.GetBatchStartTime(o.to))
		if err != nil {
			return nil, fmt.Errorf("the end of the range cannot be looked up now: %w", err)
		}
		if len(behind) > 0 && behind[0].Sequence > 1 {
			cfg.To, cfg.ToSeq = time.Time{}, behind[0].Sequence-1
		}
	}
	rerun, err := replay.New(cfg, r.deps.JetStream, sink, r.log)
	if err != nil {
		return nil, err //nolint:wrapcheck // a sentence for who asks
	}
	return &job{order: o, id: uuid.NewString(), replay: rerun, began: time.Now(), cancel: make(chan struct{})}, nil
}

// Stop cancels the replay that runs; without one it is [ErrNone].
func (r *Replays) Stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil {
		return ErrNone
	}
	r.now.stop()
	return nil
}

// stopOf cancels the replay that runs if by asked for it.
func (r *Replays) stopOf(by string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != nil && r.now.order.by == by {
		r.now.stop()
	}
}

func (j *job) stop() { j.once.Do(func() { close(j.cancel) }) }

// execute runs a replay to its end and tells how far it is.
func (r *Replays) execute(ctx context.Context, j *job) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o := j.order
	r.log.Info("replay started by request", "by", o.by, "channel", o.channel, "from", o.from, "to", o.to, "speed", o.speed, "symbols", o.symbols)
	done := make(chan error, 1)
	go func() { done <- j.replay.Run(ctx) }() // ends with ctx
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	cancelled := j.cancel
	for {
		select {
		case err := <-done:
			r.finish(j, err)
			return
		case <-cancelled:
			cancelled = nil
			stop()
		case <-ticker.C:
			r.mu.Lock()
			r.show(j.state(phaseRunning, nil))
			r.mu.Unlock()
		}
	}
}

// finish tells how it ended, and lets the next one begin.
func (r *Replays) finish(j *job, err error) {
	phase := phaseDone
	switch {
	case err != nil:
		phase = phaseFailed
	case !j.replay.Progress().Done:
		phase = phaseCancelled
	}
	r.log.Info("replay ended", "channel", j.order.channel, "phase", phase, "ticks", j.replay.Progress().Ticks, "err", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.busy = nil, false
	r.show(j.state(phase, err))
}

// show tells whoever follows; mu is held.
func (r *Replays) show(s State) {
	r.state = s
	for _, f := range r.changed {
		f(s)
	}
}
