package replay_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tickstock/tickstream/pipeline/replay"
)

var opening = time.Date(2025, 10, 7, 13, 30, 0, 0, time.UTC)

func TestPacerSpacesEvents(t *testing.T) {
	type event struct{ at, wantDue time.Duration } // since the first event, and since the start
	for _, c := range []struct {
		name   string
		speed  float64
		events []event
	}{
		{"as it was", 1, []event{{0, 0}, {time.Second, time.Second}, {3 * time.Second, 3 * time.Second}}},
		{"ten times as fast", 10, []event{{0, 0}, {time.Second, 100 * time.Millisecond}, {20 * time.Second, 2 * time.Second}}},
		{"half as fast", 0.5, []event{{0, 0}, {time.Second, 2 * time.Second}}},
		{"an old one at once", 1, []event{{0, 0}, {4 * time.Second, 4 * time.Second}, {time.Second, 4 * time.Second}, {5 * time.Second, 5 * time.Second}}},
		{"no waiting", 0, []event{{0, 0}, {time.Hour, 0}, {time.Minute, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pacer, started := replay.NewPacer(c.speed), time.Now()
				for i, e := range c.events {
					time.Sleep(pacer.Delay(opening.Add(e.at))) // the bubble's clock
					if due := time.Since(started); due != e.wantDue {
						t.Errorf("event %d is due after %v, want %v", i, due, e.wantDue)
					}
				}
			})
		})
	}
}

func TestPacerCatchesNothingUpAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pacer := replay.NewPacer(1)
		pacer.Delay(opening)
		time.Sleep(time.Hour) // the bubble's clock
		pacer.Restart()
		if d := pacer.Delay(opening.Add(time.Second)); d != 0 {
			t.Errorf("the first after a restart waits %v", d)
		}
		if d := pacer.Delay(opening.Add(3 * time.Second)); d != 2*time.Second {
			t.Errorf("the second after a restart waits %v, want 2s", d)
		}
	})
}
