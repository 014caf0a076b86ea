package health

import (
	"log/slog"
	"sync"
	"time"

	"github.com/tickstock/tickstream/health/observe"
)

// tolerated is how many failures in a row are not yet an outage.
const tolerated = 1

// The ways in which a bus is tried.
const (
	checkRead  = "read"
	checkLease = "lease"
	checkWrite = "write"
)

// reach tells whether a bus works, and logs each change. It counts as working
// until it was tried, and works when each way of trying it does.
type reach struct {
	name string
	now  func() time.Time
	log  *slog.Logger

	mu       sync.Mutex
	state    observe.Reach
	seen     bool // it has worked
	failures map[string]int
	errs     map[string]error
}

func newReach(name string, now func() time.Time, log *slog.Logger) *reach {
	return &reach{
		name: name, now: now, log: log,
		state:    observe.Reach{OK: true, Since: now()},
		failures: map[string]int{}, errs: map[string]error{},
	}
}

// note takes the outcome of one try.
func (r *reach) note(check string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs[check] = err
	if err == nil {
		r.failures[check], r.seen = 0, true
	} else {
		r.failures[check]++
	}
	r.settle()
}

// forget is for a way that is not tried any more.
func (r *reach) forget(check string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failures, check)
	delete(r.errs, check)
	r.settle()
}

func (r *reach) settle() {
	limit := tolerated
	if !r.seen || !r.state.OK { // what is away is back once nothing fails
		limit = 0
	}
	ok, cause := true, error(nil)
	for check, n := range r.failures {
		if n > limit {
			ok, cause = false, r.errs[check]
		}
	}
	if cause != nil {
		r.state.Err = cause.Error()
	}
	if ok == r.state.OK {
		return
	}
	r.state = observe.Reach{OK: ok, Since: r.now(), Err: r.state.Err}
	if ok {
		r.state.Err = ""
		r.log.Info("health events go out on " + r.name + " again")
		return
	}
	r.log.Warn("health events do not go out on "+r.name+", trying on", "err", cause)
}

func (r *reach) get() observe.Reach {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}
