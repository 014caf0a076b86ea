package health_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// Many processes come and go at once: one session, no goroutine left behind,
// every event well formed.
func TestManyMonitorsComeAndGo(t *testing.T) {
	const monitors, rounds = 6, 4
	r := newRig(t)
	ears := r.ears()
	made := make([]*health.Monitor, 0, monitors*rounds)
	for range monitors {
		l := r.link()
		for range rounds {
			deps, _, _ := r.deps(l, setup{})
			m, err := health.New(health.Config{Channels: r.redis.Channels, Mode: session.ModeAlways, Interval: time.Second}, deps)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, m)
		}
	}
	var wg sync.WaitGroup
	for i := range monitors {
		wg.Go(func() { // ends after its rounds
			for round := range rounds {
				ctx, cancel := context.WithTimeout(context.Background(), rand.N(700*time.Millisecond))
				if err := made[i*rounds+round].Run(ctx); err != nil {
					t.Errorf("Run = %v", err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	noneLeft(t)

	last := r.start(r.link(), setup{})
	for _, e := range ears {
		e.wait(schema.Health, "health of the one that stays", func(s sent) bool { return s.at.After(last.began) })
		ids := map[string]bool{}
		for _, s := range e.all(schema.SessionStarted) {
			ids[s.started.Session.SessionID] = true
		}
		if len(ids) != 1 {
			t.Errorf("%s: %d sessions", e.name, len(ids))
		}
		e.check()
	}
}

func TestRunEndsBeforeItHasBegun(t *testing.T) {
	r := newRig(t)
	deps, _, _ := r.deps(r.link(), setup{})
	m, err := health.New(health.Config{Channels: r.redis.Channels, Mode: session.ModeAlways}, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
	noneLeft(t)
}

// noneLeft checks that no goroutine runs the monitor's code any more. Those of
// the servers and clients, which outlive it, are not its own.
func noneLeft(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 8<<20)
	testbed.Eventually(t, patience, "no goroutine of the monitor is left", func(context.Context) bool {
		for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "tickstream/health.(*") || strings.Contains(stack, "tickstream/pipeline/lease.(*") {
				return false
			}
		}
		return true
	})
}
