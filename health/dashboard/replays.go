package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	errBusy     = errors.New("a replay runs already: cancel it first, or wait for its end")
	errNoReplay = errors.New("no replay runs")
)

// The phases of a replay.
const (
	phaseIdle      = "idle"
	phaseRunning   = "running"
	phaseDone      = "done"
	phaseCancelled = "cancelled"
	phaseFailed    = "failed"
)

// order is a replay that was asked for.
type order struct {
	From    time.Time
	To      time.Time // zero for all that is there
	Speed   float64
	Symbols []string
	Channel string
}

// replayState is what pages see of the replay.
type replayState struct {
	Allowed bool     `json:"allowed"`
	Channel string   `json:"channel"` // proposed, or where it goes
	ID      string   `json:"id"`
	Phase   string   `json:"phase"`
	From    int64    `json:"from"`
	To      int64    `json:"to"`
	Speed   float64  `json:"speed"`
	Symbols []string `json:"symbols"`
	Ticks   int64    `json:"ticks"`
	Share   float64  `json:"share"` // of the range, 0 to 1
	Took    int64    `json:"took"`  // milliseconds
	Error   string   `json:"error"`
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

// replays owns replays: one at a time, which ends with run.
type replays struct {
	deps  Deps
	board *board
	log   *slog.Logger
	jobs  chan *job

	mu   sync.Mutex
	busy bool // one runs, or is being prepared
	now  *job // the one that runs
}

func newReplays(deps Deps, b *board, channel string) *replays {
	b.show(topicReplay, replayState{Allowed: deps.OpenSink != nil, Channel: channel, Phase: phaseIdle, Symbols: []string{}})
	return &replays{deps: deps, board: b, log: deps.Log, jobs: make(chan *job, 1)}
}

// run runs what is asked for until ctx ends.
func (r *replays) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-r.jobs:
			r.execute(ctx, j)
		}
	}
}

// start has a replay run, unless it may not or another one does.
func (r *replays) start(ctx context.Context, o order) error {
	if !r.reserve() {
		return errBusy
	}
	j, err := r.prepare(ctx, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.busy = false
		return err
	}
	r.now = j
	r.jobs <- j // there is room: nobody else has reserved
	return nil
}

func (r *replays) reserve() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		return false
	}
	r.busy = true
	return true
}

// prepare opens the sink and finds the range.
func (r *replays) prepare(ctx context.Context, o order) (*job, error) {
	sink, err := r.deps.OpenSink(ctx, o.Channel)
	if err != nil {
		return nil, err //nolint:wrapcheck // a sentence for the page
	}
	cfg := replay.Config{From: o.From, To: o.To, Speed: o.Speed, Symbols: o.Symbols}
	if err := cfg.Validate(); err != nil {
		return nil, err //nolint:wrapcheck // a sentence for the page
	}
	if !o.To.IsZero() {
		// By its sequence the end tells how much of the range is done.
		behind, err := stream.Read(ctx, r.deps.JetStream, stream.Ticks, 1, jetstreamext.GetBatchStartTime(o.To))
		if err != nil {
			return nil, fmt.Errorf("the end of the range cannot be looked up now: %w", err)
		}
		if len(behind) > 0 && behind[0].Sequence > 1 {
			cfg.To, cfg.ToSeq = time.Time{}, behind[0].Sequence-1
		}
	}
	rerun, err := replay.New(cfg, r.deps.JetStream, sink, r.log)
	if err != nil {
		return nil, err //nolint:wrapcheck // a sentence for the page
	}
	return &job{order: o, id: uuid.NewString(), replay: rerun, cancel: make(chan struct{})}, nil
}

// stop cancels the replay that runs.
func (r *replays) stop() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil {
		return errNoReplay
	}
	r.now.once.Do(func() { close(r.now.cancel) })
	return nil
}

// execute runs a replay to its end and tells how far it is.
func (r *replays) execute(ctx context.Context, j *job) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	j.began = time.Now()
	r.log.Info("replay started from the dashboard", "channel", j.order.Channel, "from", j.order.From, "to", j.order.To, "speed", j.order.Speed, "symbols", j.order.Symbols)
	done := make(chan error, 1)
	go func() { done <- j.replay.Run(ctx) }() // ends with ctx
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	cancelled := j.cancel
	for {
		r.board.show(topicReplay, j.state(phaseRunning, nil))
		select {
		case err := <-done:
			r.finish(j, err)
			return
		case <-cancelled:
			cancelled = nil
			stop()
		case <-ticker.C:
		}
	}
}

// finish tells how it ended, and lets the next one begin.
func (r *replays) finish(j *job, err error) {
	phase := phaseDone
	switch {
	case err != nil:
		phase = phaseFailed
	case !j.replay.Progress().Done:
		phase = phaseCancelled
	}
	r.log.Info("replay ended", "channel", j.order.Channel, "phase", phase, "ticks", j.replay.Progress().Ticks, "err", err)
	r.mu.Lock()
	r.now, r.busy = nil, false
	r.mu.Unlock()
	r.board.show(topicReplay, j.state(phase, err))
}

func (j *job) state(phase string, err error) replayState {
	p := j.replay.Progress()
	s := replayState{
		Allowed: true, Channel: j.order.Channel, ID: j.id, Phase: phase, From: j.order.From.UnixMilli(),
		Speed: j.order.Speed, Symbols: slices.Concat([]string{}, j.order.Symbols), Ticks: p.Ticks, Took: time.Since(j.began).Milliseconds(),
	}
	if !j.order.To.IsZero() {
		s.To = j.order.To.UnixMilli()
	}
	if p.Last >= p.First && p.First > 0 {
		s.Share = float64(p.Position+1-p.First) / float64(p.Last+1-p.First)
	}
	if p.Done {
		s.Share = 1
	}
	if err != nil {
		s.Error = err.Error()
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			s.Error = fmt.Sprintf("stream %s is not there: no tick was ever stored", stream.Ticks)
		}
	}
	return s
}
