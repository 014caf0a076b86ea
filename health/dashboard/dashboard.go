// Package dashboard is the page on which people see how the system is: what the
// monitor knows, as it learns it, what the streams hold, and replays.
//
// The page is a static one that follows a stream of server-sent events. Nothing
// here is asked by the monitor, and a page that is slow is told less, not later:
// see [board].
package dashboard

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/replays"
	"golang.org/x/sync/errgroup"
)

const (
	// lookEvery is how often the monitor is looked at; it costs no IO.
	lookEvery = 250 * time.Millisecond
	// tellEvery is how often pages are told how it is even if nothing changed.
	tellEvery = time.Second
	// farewellWait is how long the monitor's last event is waited for.
	farewellWait = 500 * time.Millisecond
)

// Dashboard serves pages. [Dashboard.Run] is its whole life.
type Dashboard struct {
	cfg     Config
	deps    Deps
	board   *board
	flow    *flow
	handler http.Handler
	begun   atomic.Int64 // the moment of the first event of our own, Unix milliseconds
}

// New makes a dashboard; it starts nothing.
func New(cfg Config, deps Deps) (*Dashboard, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := deps.validate(); err != nil {
		return nil, err
	}
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	d := &Dashboard{cfg: cfg, deps: deps, board: newBoard(), flow: newFlow()}
	if deps.Replays != nil {
		deps.Replays.Follow(func(s replays.State) { d.board.show(topicReplay, s) })
	} else {
		d.board.show(topicReplay, replays.Idle(false, ""))
	}
	d.handler = d.routes(files)
	return d, nil
}

// Handler serves the page and what it asks for. Without [Dashboard.Run] it has
// nothing to tell.
func (d *Dashboard) Handler() http.Handler { return d.handler }

// Run tells pages how the system is until ctx ends, and returns nil. Run once.
func (d *Dashboard) Run(ctx context.Context) error {
	defer d.board.close() // pages are let go
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { d.watch(ctx); return nil })              // all end with ctx
	group.Go(func() error { d.followSignals(ctx); return nil })      //
	group.Go(func() error { d.followHealthEvents(ctx); return nil }) //
	group.Go(func() error { d.takeStock(ctx); return nil })          //
	return group.Wait()                                              //nolint:wrapcheck // none fails
}

// watch puts on the board what the monitor knows: each event, and once a second
// how it is.
func (d *Dashboard) watch(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var told time.Time
	var shown int64 // the event that was told last
	for {
		s := d.deps.Source.Snapshot()
		now := time.Now()
		at := eventTime(s)
		if at != shown || now.Sub(told) >= tellEvery {
			d.tell(s, now)
			told, shown = now, at
		}
		select {
		case <-ctx.Done():
			d.sayGoodbye(shown)
			return
		case <-ticker.C:
		}
	}
}

// tell puts s on the board.
func (d *Dashboard) tell(s health.Snapshot, now time.Time) {
	d.flow.observe(s.Facts)
	d.board.show(topicState, newState(s, d.flow, now))
	if s.Payload != nil {
		d.begun.CompareAndSwap(0, eventTime(s))
		d.board.add(topicPoints, eventTime(s), newPoint(s.Event))
	}
}

// sayGoodbye shows the last event of a monitor that was asked to end.
func (d *Dashboard) sayGoodbye(shown int64) {
	ticker := time.NewTicker(lookEvery / 5)
	defer ticker.Stop()
	for range int(farewellWait / (lookEvery / 5)) {
		if s := d.deps.Source.Snapshot(); eventTime(s) != shown {
			d.tell(s, time.Now())
			return
		}
		<-ticker.C
	}
}
