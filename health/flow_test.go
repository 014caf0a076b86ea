package health_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/health/universe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// feed stores ticks of symbols, some hundred a second, until the test ends.
func (r *rig) feed(symbols []string) {
	r.t.Helper()
	js := r.nats.JetStream()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the test
		ticker := time.NewTicker(3 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			symbol := symbols[i%len(symbols)]
			payload := fmt.Sprintf(`{"type":"market_tick","symbol":%q,"price":101.5,"volume":10,"timestamp":%.3f,"source":"test"}`,
				symbol, float64(time.Now().UnixMilli())/1e3)
			if _, err := js.Publish(ctx, stream.TickSubject(symbol), []byte(payload)); err != nil && ctx.Err() == nil {
				r.t.Errorf("store tick: %v", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	r.t.Cleanup(func() { cancel(); wg.Wait() })
}

// measured is a monitor with the real observer and judge.
func (r *rig) measured(u universe.Universe) (stop func()) {
	r.t.Helper()
	l := r.link()
	deps, _, _ := r.deps(l, setup{usual: u})
	observer, err := observe.New(observe.Config{}, observe.Deps{JetStream: l.js, Universe: u.Symbols, Log: quiet})
	if err != nil {
		r.t.Fatal(err)
	}
	judge, err := observe.NewJudge(observe.Thresholds{})
	if err != nil {
		r.t.Fatal(err)
	}
	deps.Observer, deps.Judge = observer, judge
	monitor, err := health.New(health.Config{Channels: r.redis.Channels, Mode: session.ModeAlways, Interval: time.Second}, deps)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- monitor.Run(ctx) }() // ends with stop
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Errorf("Run = %v", err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// While ticks flow no event shows zeros, whatever comes and goes.
func TestNoEventShowsZerosWhileTicksFlow(t *testing.T) {
	u, err := universe.Load(t.Context(), universe.Config{}, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	ears := r.ears()
	stop := r.measured(u)
	for _, e := range ears {
		e.waitStatus(event.StatusStarting)
	}
	r.feed(u.Symbols)
	var from []int
	for _, e := range ears {
		e.wait(schema.Health, "healthy with 60 symbols", func(s sent) bool {
			return s.health.Status == event.StatusHealthy && s.health.ActiveSymbols == 60 && s.health.Health.TicksPerSecond > 10
		})
		from = append(from, len(e.all(schema.Health)))
	}
	r.redisEar() // AppV2 connects
	stop()       // a restart
	again := time.Now()
	r.measured(u)
	for i, e := range ears {
		e.wait(schema.Health, "healthy after the restart", func(s sent) bool {
			return s.at.After(again) && s.health.Status == event.StatusHealthy
		})
		all := e.all(schema.Health)
		for _, s := range all[from[i]-1:] {
			if s.health.ActiveSymbols != 60 || s.health.Health.TicksPerSecond < 10 {
				t.Errorf("%s: zeros between true numbers: %s", e.name, s.payload)
			}
			if s.health.SessionID != all[0].health.SessionID {
				t.Errorf("%s: session %q beside %q", e.name, s.health.SessionID, all[0].health.SessionID)
			}
		}
		e.check()
	}
}
