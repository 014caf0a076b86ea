package bridge

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/lease"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// errYielded comes where what was read is another bridge's to store.
var errYielded = errors.New("another bridge reads this source")

// standing is how a bridge stands among those that read the same source.
type standing int

const (
	unasked standing = iota // the first campaign is under way
	alone                   // nobody is known to hold the lease, as while NATS is away: read, and do not store yet
	leading                 // the lease is ours: read and store
	standby                 // another bridge holds it: do not store
)

// state is how presence tells it. One that reads while nobody can tell who holds
// the lease is active.
func (s standing) state() string {
	if s == standby {
		return presence.StateStandby
	}
	return presence.StateActive
}

// turn is a bridge's candidacy for its source. One bridge at a time stores what
// it reads; the lease says which. A channel is read without it as well, so that
// neither an outage of NATS nor the end of another bridge costs a tick.
type turn struct {
	lease *lease.Lease
	log   *slog.Logger

	resigned chan struct{}             // told when the lease is to be given up
	offUntil atomic.Pointer[time.Time] // until when not to campaign

	mu       sync.Mutex
	standing standing
	// losses is how often another bridge took over: it numbers the terms.
	losses  int64
	changed chan struct{} // closed, and made anew, at each change
}

// leaseKey is the lease of a source; its name may hold what a key may not.
func leaseKey(cfg Config) string {
	sum := sha256.Sum256([]byte(string(cfg.Source) + " " + cfg.Channel))
	return "bridge.ingress." + hex.EncodeToString(sum[:8])
}

func newTurn(cfg Config, bucket func(context.Context) (jetstream.KeyValue, error), log *slog.Logger) (*turn, error) {
	t := &turn{log: log, resigned: make(chan struct{}, 1), changed: make(chan struct{})}
	var err error
	t.lease, err = lease.New(lease.Config{
		Key: leaseKey(cfg), Holder: cfg.Instance + "." + rand.Text()[:8], TTL: stream.LeaseTTL, Refused: t.refused,
		Wanted: func() bool { until := t.offUntil.Load(); return until == nil || time.Now().After(*until) },
	}, bucket, log)
	if err != nil {
		return nil, fmt.Errorf("make the bridge's lease: %w", err)
	}
	return t, nil
}

// run campaigns until ctx ends, and then gives the lease back.
func (t *turn) run(ctx context.Context) error {
	return t.lease.Run(ctx, func(ctx context.Context) error { //nolint:wrapcheck // it is ours
		select {
		case <-t.resigned: // said in an earlier tenure
		default:
		}
		t.become(leading)
		select {
		case <-ctx.Done():
			t.become(alone)
		case <-t.resigned:
		}
		return nil
	})
}

// resignation is how long one that resigned leaves the lease to others.
const resignation = 2 * stream.LeaseTTL

// resign gives the lease up to a bridge on standby.
func (t *turn) resign() {
	until := time.Now().Add(resignation)
	t.offUntil.Store(&until)
	t.become(standby)
	signal(t.resigned)
}

// awaitLead waits until this bridge leads, and returns the term's number, or
// errYielded where another does.
func (t *turn) awaitLead(ctx context.Context) (term int64, err error) {
	for {
		s, term, changed := t.now()
		switch s {
		case leading:
			return term, nil
		case standby:
			return term, errYielded
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("await the lease to store: %w", ctx.Err())
		case <-changed:
		}
	}
}

// refused takes notice of a campaign that was not won. One who stands by goes
// on to while it cannot be told who leads.
func (t *turn) refused(holder string) {
	switch now, _, _ := t.now(); {
	case holder != "" && now != standby:
		t.log.Info("another bridge reads this source, standing by", "holder", holder)
		t.become(standby)
	case holder == "" && now == unasked:
		t.become(alone)
	}
}

func (t *turn) become(s standing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.standing = s
	if s == standby {
		t.losses++
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *turn) now() (s standing, term int64, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.standing, t.losses, t.changed
}

// awaitTerm waits until this bridge may read, and returns the term's number.
// What a stream keeps can wait for the lease.
func (t *turn) awaitTerm(ctx context.Context) (term int64, err error) {
	for {
		s, term, changed := t.now()
		if s == leading {
			return term, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("await the turn to read: %w", ctx.Err())
		case <-changed:
		}
	}
}

// during is a context that ends with the term.
func (t *turn) during(ctx context.Context, term int64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with the context
		for {
			_, now, changed := t.now()
			if now != term {
				cancel()
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}()
	return ctx, cancel
}

// leaseWarning is after how long without the lease the log says so.
const leaseWarning = 10 * time.Second

// anyTerm is that of what no other bridge can store.
const anyTerm = -1

// awaitLease waits until what was read in a term may be stored. It returns
// errYielded once another bridge has taken over.
func (t *turn) awaitLease(ctx context.Context, term int64) error {
	var warning <-chan time.Time
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("await the lease to store: %w", err)
		}
		s, now, changed := t.now()
		switch {
		case term == anyTerm:
			return nil
		case now != term:
			return errYielded
		case s == leading && t.lease.Held():
			return nil
		case warning == nil:
			timer := time.NewTimer(leaseWarning)
			defer timer.Stop()
			warning = timer.C
		}
		// One that was stopped for longer than the lease lasts finds out whether
		// it is its own still.
		var again <-chan time.Time
		if s == leading {
			again = time.After(stream.LeaseTTL / 16)
		}
		select {
		case <-ctx.Done():
		case <-again:
		case <-warning:
			t.log.Warn("cannot take the lease to store yet, keeping what was read")
		case <-changed:
		}
	}
}
