package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/indicator"
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
			published := make(chan error, 1)
			go func() { published <- publishTraffic(t.Context(), js, oracle.Traffic(random, 20000)) }() // received below
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

// publishTraffic stores messages in TICKS over some seconds, each once and in
// order, whatever happens to the server meanwhile.
func publishTraffic(ctx context.Context, js jetstream.JetStream, messages []oracle.Message) error {
	for i, m := range messages {
		msgs := []*nats.Msg{}
		if m.Tick != nil {
			msgs = append(msgs, &nats.Msg{Subject: stream.TickSubject(m.Tick.Symbol), Data: m.Tick.AppendRawJSON(nil)})
		} else {
			data, err := json.Marshal(event.NewClockMark(m.Mark))
			if err != nil {
				return fmt.Errorf("encode mark: %w", err)
			}
			for p := range crashPartitions {
				msgs = append(msgs, &nats.Msg{Subject: stream.ClockSubject(p), Data: data})
			}
		}
		for k, msg := range msgs {
			msg.Header = nats.Header{nats.MsgIdHdr: {fmt.Sprintf("traffic.%d.%d", i, k)}}
			for {
				attempt, cancel := context.WithTimeout(ctx, time.Second)
				_, err := js.PublishMsg(attempt, msg)
				cancel()
				if err == nil {
					break
				}
				if ctx.Err() != nil {
					return fmt.Errorf("publish: %w", ctx.Err())
				}
			}
		}
		if i%100 == 0 {
			time.Sleep(20 * time.Millisecond) // the pace of the traffic, not a wait
		}
	}
	return nil
}

// checkPublished waits until all of TICKS is worked through and compares.
func checkPublished(t *testing.T, js jetstream.JetStream) *oracle.Published {
	t.Helper()
	testbed.Eventually(t, 90*time.Second, "all partitions are worked through", func(ctx context.Context) bool {
		for p := range crashPartitions {
			c, err := js.Consumer(ctx, stream.Ticks, fmt.Sprintf("pipeline_%d", p))
			if err != nil {
				return false
			}
			if info := c.CachedInfo(); info.NumPending > 0 || info.NumAckPending > 0 || info.Delivered.Consumer == 0 && info.NumWaiting == 0 {
				return false
			}
		}
		return true
	})
	indicators, err := indicator.NewSet()
	if err != nil {
		t.Fatal(err)
	}
	got := oracle.NewPublished()
	everything(t, js, stream.Bars, stream.AllBars, func(_ string, _ uint64, data []byte) {
		var b event.Bar
		if err := json.Unmarshal(data, &b); err != nil {
			t.Fatal(err)
		}
		got.Bar(b)
	})
	everything(t, js, stream.Signals, stream.AllSignals, func(_ string, _ uint64, data []byte) {
		if err := got.SignalMessage(data, indicators); err != nil {
			t.Fatal(err)
		}
	})
	everything(t, js, stream.Rejects, stream.AllRejects, func(subject string, _ uint64, data []byte) {
		if subject != stream.RejectSubject("too_late") {
			t.Errorf("%s: %s", subject, data)
		}
	})
	rejected := everythingTooLate(t, js)
	partitions := readTicks(t, js)
	plain := oracle.NewPublished()
	for _, messages := range partitions {
		uninterrupted(t, plain, messages)
	}
	got.TooLate = rejected
	rules, err := oracle.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	faults := got.Compare(partitions, rules, "1min")
	for key := range plain.Alerts {
		if got.Alerts[key] == 0 {
			faults = append(faults, fmt.Sprintf("alert %v is missing", key))
		}
	}
	if len(got.Alerts) != len(plain.Alerts) {
		faults = append(faults, fmt.Sprintf("%d alerts, want %d", len(got.Alerts), len(plain.Alerts)))
	}
	for i, fault := range faults {
		if i == 20 {
			t.Fatalf("and %d more", len(faults)-i)
		}
		t.Error(fault)
	}
	t.Logf("%d bars (%d corrections), %d signals (%d withdrawn), %d alerts, %d too late", len(got.Bars), got.Corrected, len(got.Signals), got.Withdrawn, len(got.Alerts), len(rejected))
	if len(got.Bars) < 100 || got.Corrected < 10 || len(got.Alerts) < 10 {
		t.Error("the traffic tests too little")
	}
	return got
}

// everything reads a stream from its beginning.
func everything(t *testing.T, js jetstream.JetStream, name, filter string, each func(subject string, seq uint64, data []byte)) {
	t.Helper()
	consumer, err := js.OrderedConsumer(t.Context(), name, jetstream.OrderedConsumerConfig{FilterSubjects: strings.Fields(filter)})
	if err != nil {
		t.Fatal(err)
	}
	info, err := consumer.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for range info.NumPending {
		msg, err := messages.Next(jetstream.NextMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		each(msg.Subject(), meta.Sequence.Stream, msg.Data())
	}
}

// everythingTooLate are the sequences in TICKS of the ticks that were refused,
// by their message ids; one that is there twice is an error.
func everythingTooLate(t *testing.T, js jetstream.JetStream) map[uint64]bool {
	t.Helper()
	rejected := map[uint64]bool{}
	s, err := js.Stream(t.Context(), stream.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		msg, err := s.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if msg.Subject != stream.RejectSubject("too_late") {
			continue // a progress
		}
		var of uint64
		if _, err := fmt.Sscanf(msg.Header.Get(nats.MsgIdHdr), "ticks.%d", &of); err != nil {
			t.Fatal(err)
		}
		if rejected[of] {
			t.Errorf("tick %d was refused twice", of)
		}
		rejected[of] = true
	}
	return rejected
}

// readTicks are the messages of TICKS by partition.
func readTicks(t *testing.T, js jetstream.JetStream) [][]oracle.Message {
	t.Helper()
	decoder, err := tick.NewDecoder(tick.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	partitions := make([][]oracle.Message, crashPartitions)
	everything(t, js, stream.Ticks, stream.AllTicks+" "+stream.AllClockMarks, func(subject string, seq uint64, data []byte) {
		if stored, ok := stream.ParseStoredTick(subject); ok {
			var decoded tick.Tick
			if err := decoder.Decode(data, time.Now(), &decoded); err != nil {
				t.Fatal(err)
			}
			clone := decoded.Clone()
			partitions[stored.Partition] = append(partitions[stored.Partition], oracle.Message{Sequence: seq, Tick: &clone})
			return
		}
		var p int
		var mark event.ClockMark
		if _, err := fmt.Sscanf(subject, stream.ClockPrefix+"%d", &p); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &mark); err != nil {
			t.Fatal(err)
		}
		partitions[p] = append(partitions[p], oracle.Message{Sequence: seq, Mark: mark.Time.Time})
	})
	return partitions
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
