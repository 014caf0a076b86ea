package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/tick"
)

const crashPartitions = 4

// pipelines are processes of this test's own binary that run the pipeline.
type pipelines struct {
	t    *testing.T
	url  string
	args []string
	mu   sync.Mutex
	all  []*exec.Cmd
}

func (p *pipelines) start() *exec.Cmd {
	process := exec.CommandContext(p.t.Context(), os.Args[0], append([]string{"pipeline", "--nats", p.url, "--checkpoint-interval", "200ms"}, p.args...)...)
	process.Env = append(os.Environ(), mainEnv+"=1")
	if err := process.Start(); err != nil {
		p.t.Errorf("start a pipeline: %v", err)
	}
	p.all = append(p.all, process)
	return process
}

// crash kills one with SIGKILL and starts another.
func (p *pipelines) crash(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.all[i].Process.Kill()
	_ = p.all[i].Wait()
	p.all[i] = p.all[len(p.all)-1]
	p.all = p.all[:len(p.all)-1]
	p.start()
}

func (p *pipelines) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, process := range p.all {
		_ = process.Process.Kill()
		_ = process.Wait()
	}
	p.all = nil
}

// Whatever is killed and whenever, the last revision of each bar and signal is
// that of a plain recomputation of TICKS, none is there twice, and alerts are
// those of a run without a crash.
func TestKilledPipelinesLeaveNoTrace(t *testing.T) {
	for _, workers := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, seed))
			server := testbed.StartNATS(t)
			js := server.JetStream()
			if _, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: crashPartitions}, quiet); err != nil {
				t.Fatal(err)
			}
			p := &pipelines{t: t, url: server.URL()}
			defer p.stop()
			for range workers {
				p.start()
			}
			traffic := oracle.Traffic(random, 8000)
			published := make(chan error, 1)
			go func() {
				published <- oracle.Publish(t.Context(), js, crashPartitions, traffic, 20*time.Millisecond)
			}() // received below
			kills := 0
			for done := false; !done || kills < 11; {
				select {
				case err := <-published:
					if err != nil {
						t.Fatal(err)
					}
					done = true
				case <-time.After(time.Duration(100+random.IntN(700)) * time.Millisecond): // how long a worker lives
				}
				p.crash(random.IntN(workers))
				kills++
			}
			checkPublished(t, js)
			t.Logf("%d kills", kills)
		})
	}
}

// checkPublished waits until all of TICKS is worked through and compares.
func checkPublished(t *testing.T, js jetstream.JetStream) *oracle.Published {
	t.Helper()
	testbed.Eventually(t, 90*time.Second, "all partitions are worked through", func(ctx context.Context) bool {
		return oracle.WorkedThrough(ctx, js, crashPartitions)
	})
	got, err := oracle.ReadPublished(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	partitions, err := oracle.ReadTicks(t.Context(), js, crashPartitions)
	if err != nil {
		t.Fatal(err)
	}
	plain := oracle.NewPublished()
	for _, messages := range partitions {
		uninterrupted(t, plain, messages)
	}
	rules, err := oracle.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	faults := got.Compare(partitions, rules, "1min")
	for key := range plain.Alerts {
		if got.Alerts[key] == 0 {
			faults = append(faults, oracle.Finding{Text: fmt.Sprintf("alert %v is missing", key)})
		}
	}
	if len(got.Alerts) != len(plain.Alerts) {
		faults = append(faults, oracle.Finding{Text: fmt.Sprintf("%d alerts, want %d", len(got.Alerts), len(plain.Alerts))})
	}
	if len(got.Refused) > 0 {
		t.Errorf("refused: %v", got.Refused)
	}
	for i, fault := range faults {
		if i == 20 {
			t.Fatalf("and %d more", len(faults)-i)
		}
		t.Error(fault)
	}
	t.Logf("%d bars (%d corrections), %d signals (%d withdrawn), %d alerts, %d too late", len(got.Bars), got.Corrected, len(got.Signals), got.Withdrawn, len(got.Alerts), len(got.TooLate))
	if len(got.Bars) < 100 || got.Corrected < 10 || len(got.Alerts) < 10 {
		t.Error("the traffic tests too little")
	}
	return got
}

// alertsOnly are the results of one run that nothing interrupts.
type alertsOnly struct{ *oracle.Published }

func (alertsOnly) Bar(*event.Bar) {}
func (alertsOnly) BarsDone()      {}
func (alertsOnly) Indicator(*event.IndicatorTemplate, event.BarKey, []float64, uint32, bool) {
}
func (alertsOnly) Pattern(*event.Pattern) {}
func (alertsOnly) TooLate(*tick.Tick)     {}
func (a alertsOnly) Alert(e *event.IndicatorAlert) {
	a.Published.Alert(oracle.NewSignalKey(e.Alert, e.BarKey))
}

func uninterrupted(t *testing.T, into *oracle.Published, messages []oracle.Message) {
	t.Helper()
	p, err := aggregate.New(aggregate.Config{}, alertsOnly{into})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Tick != nil {
			p.Tick(m.Tick, m.Sequence)
		} else {
			p.Mark(m.Mark, m.Sequence)
		}
	}
}
