package health

import (
	"errors"
	"log/slog"
	"testing"
	"time"
)

// A bus on which nothing is published any more, as its lease could not be
// renewed, does not work again because of that.
func TestLostLeaseIsNotARecovery(t *testing.T) {
	r, refused := newReach("Redis", time.Now, slog.New(slog.DiscardHandler)), errors.New("refused")
	r.note(checkLease, nil)
	for range tolerated + 1 {
		r.note(checkWrite, refused)
	}
	r.note(checkLease, refused)
	r.forget(checkWrite)
	if r.get().OK {
		t.Error("it works, with a lease that cannot be renewed")
	}
	r.note(checkLease, nil)
	if !r.get().OK {
		t.Error("it does not work again")
	}
}
