package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/tick"
	"github.com/tickstock/tickstream/pipeline/worker"
)

const partitions = 2

var quiet = slog.New(slog.DiscardHandler)

// bed is a NATS whose TICKS was worked through once.
type bed struct {
	*testing.T
	js jetstream.JetStream
}

func newBed(t *testing.T, messages []oracle.Message) *bed {
	t.Helper()
	b := &bed{T: t, js: testbed.StartNATS(t).JetStream()}
	if _, err := stream.Ensure(t.Context(), b.js, stream.Config{Partitions: partitions}, quiet); err != nil {
		t.Fatal(err)
	}
	if err := oracle.Publish(t.Context(), b.js, partitions, messages, 0); err != nil {
		t.Fatal(err)
	}
	b.work()
	return b
}

// start runs a worker and returns what stops it.
func (b *bed) start() (stop func()) {
	b.Helper()
	w, err := worker.New(worker.Config{Instance: "one", CheckpointInterval: 100 * time.Millisecond}, b.js, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, partitions) }() // ends with stop
	return func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// work runs a worker until all is worked through.
func (b *bed) work() {
	b.Helper()
	stop := b.start()
	testbed.Eventually(b, 60*time.Second, "all is worked through", func(ctx context.Context) bool { return oracle.WorkedThrough(ctx, b.js, partitions) })
	stop()
}

// rebuild asks for one and waits until it is done.
func (b *bed) rebuild(from time.Time) worker.Rebuilt {
	b.Helper()
	if err := worker.RequestRebuild(b.Context(), b.js, partitions, from); err != nil {
		b.Fatal(err)
	}
	stop := b.start()
	var done worker.Rebuilt
	testbed.Eventually(b, 60*time.Second, "the rebuild is done", func(ctx context.Context) bool {
		var err error
		done, err = worker.RebuildProgress(ctx, b.js, partitions, from)
		return err == nil && done.Partitions == partitions
	})
	stop()
	return done
}

// right fails the test unless all that is published is what a recomputation of
// messages gives.
func (b *bed) right(messages [][]oracle.Message) *oracle.Published {
	b.Helper()
	got, err := oracle.ReadPublished(b.Context(), b.js)
	if err != nil {
		b.Fatal(err)
	}
	rules, err := oracle.DefaultRules()
	if err != nil {
		b.Fatal(err)
	}
	for i, fault := range got.Compare(messages, rules, "1min") {
		if i == 10 {
			b.Fatal("and more")
		}
		b.Error(fault)
	}
	return got
}

func (b *bed) ticks() [][]oracle.Message {
	b.Helper()
	messages, err := oracle.ReadTicks(b.Context(), b.js, partitions)
	if err != nil {
		b.Fatal(err)
	}
	return messages
}

// counts are how many bars and signals are stored, revisions included.
func (b *bed) counts() (bars, signals uint64) {
	b.Helper()
	count := func(name, filter string) (n uint64) {
		s, err := b.js.Stream(b.Context(), name)
		if err != nil {
			b.Fatal(err)
		}
		info, err := s.Info(b.Context(), jetstream.WithSubjectFilter(filter))
		if err != nil {
			b.Fatal(err)
		}
		for _, messages := range info.State.Subjects {
			n += messages
		}
		return n
	}
	return count(stream.Bars, stream.AllBars), count(stream.Signals, stream.AllSignals)
}

func TestRebuildOfWhatIsRightPublishesNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t, oracle.Traffic(rand.New(rand.NewPCG(1, 11)), 6000))
	bars, signals := b.counts()
	if done := b.rebuild(time.Date(2026, 3, 6, 21, 0, 0, 0, time.UTC)); done.Bars != 0 || done.Signals != 0 {
		t.Errorf("%d bars and %d signals differ", done.Bars, done.Signals)
	}
	if b2, s2 := b.counts(); b2 != bars || s2 != signals {
		t.Errorf("BARS went from %d to %d, SIGNALS from %d to %d", bars, b2, signals, s2)
	}
}

// A bar that somebody falsified or removed, and a signal that should not be
// there, are put right by the next revision; ticks that come afterwards find
// the state that goes with it.
func TestRebuildPutsRight(t *testing.T) {
	t.Parallel()
	messages := oracle.Traffic(rand.New(rand.NewPCG(2, 12)), 8000)
	b := newBed(t, messages[:6000])
	got, err := oracle.ReadPublished(t.Context(), b.js)
	if err != nil {
		t.Fatal(err)
	}
	falsified := 0
	begins := map[string]bool{} // one minute of a symbol is falsified once
	for key, bar := range got.Bars {
		minute := fmt.Sprint(key.Symbol, key.Start)
		if key.Timeframe == "5min" || begins[minute] || falsified == 5 {
			continue
		}
		falsified++
		begins[minute] = true
		bar.Close, bar.Revision = 7*tick.One, bar.Revision+1
		b.publish(stream.BarSubject(key.Timeframe, key.Symbol), &bar)
		end := event.Seconds(key.Start + 60)
		b.publish(stream.SignalSubject(event.KindPattern, "Hammer", key.Symbol), &event.Pattern{
			Type: event.KindPattern, Pattern: "Hammer", BarKey: event.BarKey{Symbol: key.Symbol, Timeframe: "1min", Start: event.Seconds(key.Start), End: end},
			Confidence: 0.123, Revision: 900, Parameters: map[string]any{},
		})
	}
	s, err := b.js.Stream(t.Context(), stream.Bars)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(stream.BarSubject("5min", "AAPL"))); err != nil {
		t.Fatal(err)
	}
	if done := b.rebuild(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)); done.Bars <= int64(falsified) || done.Signals < int64(falsified) {
		t.Errorf("rebuilt %+v, %d were falsified", done, falsified)
	}
	if err := oracle.Publish(t.Context(), b.js, partitions, messages[6000:], 0); err != nil {
		t.Fatal(err)
	}
	b.work()
	b.right(b.ticks())
}

// A bar that the time asked for divides is made again too, whatever its length.
func TestRebuildFromWithinABar(t *testing.T) {
	t.Parallel()
	b := newBed(t, oracle.Traffic(rand.New(rand.NewPCG(9, 19)), 4000))
	got, err := oracle.ReadPublished(t.Context(), b.js)
	if err != nil {
		t.Fatal(err)
	}
	var from time.Time
	for key := range got.Bars {
		if at := time.Unix(key.Start, 0).Add(30*time.Minute + 30*time.Second); key.Symbol == "AAPL" && key.Timeframe == "60min" && at.After(from) {
			from = at
		}
	}
	divided := map[string]event.Bar{} // by timeframe, of one symbol
	for key, bar := range got.Bars {
		if key.Symbol == "AAPL" && bar.Start.Before(from) && bar.End.After(from) {
			divided[key.Timeframe] = bar
		}
	}
	for timeframe, bar := range divided {
		bar.Close, bar.Revision = 7*tick.One, bar.Revision+1
		b.publish(stream.BarSubject(timeframe, bar.Symbol), &bar)
	}
	if done := b.rebuild(from); done.Bars != int64(len(divided)) {
		t.Errorf("%d bars are made again of %d", done.Bars, len(divided))
	}
	b.right(b.ticks())
}

// A bar of before the time asked for goes on from its own revision, whether the
// rebuild went through it again or not.
func TestRebuildKeepsTheRevisionsOfEarlierBars(t *testing.T) {
	t.Parallel()
	messages := oracle.Traffic(rand.New(rand.NewPCG(8, 18)), 4500)
	b := newBed(t, messages[:1500]) // a day's state is behind these
	publish := func(messages []oracle.Message) {
		t.Helper()
		if err := oracle.Publish(t.Context(), b.js, partitions, messages, 0); err != nil {
			t.Fatal(err)
		}
		b.work()
	}
	publish(messages[1500:3000])
	after := time.Now().Add(time.Hour) // all results were stored before
	if done := b.rebuild(after); done.Bars != 0 || done.Signals != 0 {
		t.Errorf("%d bars and %d signals differ", done.Bars, done.Signals)
	}
	publish(messages[3000:])
	b.right(b.ticks())
}

func (b *bed) publish(subject string, value any) {
	b.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.js.Publish(b.Context(), subject, data); err != nil {
		b.Fatal(err)
	}
}

// Without checkpoints the state is made from the streams, and goes on.
func TestLostCheckpointsAreMadeAnew(t *testing.T) {
	t.Parallel()
	messages := oracle.Traffic(rand.New(rand.NewPCG(3, 13)), 8000)
	b := newBed(t, messages[:5000])
	if err := b.js.DeleteKeyValue(t.Context(), stream.CheckpointsBucket); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Ensure(t.Context(), b.js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	if err := oracle.Publish(t.Context(), b.js, partitions, messages[5000:], 0); err != nil {
		t.Fatal(err)
	}
	b.work()
	b.right(b.ticks())
}

// The same where the beginning of TICKS has aged out: bars stay as they are,
// and what goes on is computed on them.
func TestLostCheckpointsWithoutTheFirstTicks(t *testing.T) {
	t.Parallel()
	messages := oracle.Traffic(rand.New(rand.NewPCG(4, 14)), 9000)
	b := newBed(t, messages[:6000])
	before := b.ticks()
	if err := b.js.DeleteKeyValue(t.Context(), stream.CheckpointsBucket); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Ensure(t.Context(), b.js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	ticks, err := b.js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	if err := ticks.Purge(t.Context(), jetstream.WithPurgeSequence(100)); err != nil {
		t.Fatal(err)
	}
	last := ticks.CachedInfo().State.LastSeq
	if err := oracle.Publish(t.Context(), b.js, partitions, messages[6000:], 0); err != nil {
		t.Fatal(err)
	}
	b.work()
	all := before
	for p, messages := range b.ticks() {
		for _, m := range messages {
			if m.Sequence > last {
				all[p] = append(all[p], m)
			}
		}
	}
	b.right(all)
}
