package worker_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/worker"
)

// TICKS made anew beside bars that are there: they stay as they are, what
// comes later is made, and what comes from before is refused and not lost
// sight of.
func TestTicksMadeAnewLeaveBarsAlone(t *testing.T) {
	t.Parallel()
	messages := oracle.Traffic(rand.New(rand.NewPCG(5, 15)), 8000)
	b := newBed(t, messages[:5000])
	before, err := oracle.ReadPublished(t.Context(), b.js)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.js.DeleteStream(t.Context(), stream.Ticks); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Ensure(t.Context(), b.js, stream.Config{Partitions: partitions}, quiet); err != nil {
		t.Fatal(err)
	}
	if err := oracle.Publish(t.Context(), b.js, partitions, messages[5000:], 0); err != nil {
		t.Fatal(err)
	}
	b.work()
	after, err := oracle.ReadPublished(t.Context(), b.js)
	if err != nil {
		t.Fatal(err)
	}
	for key, bar := range before.Bars {
		if now := after.Bars[key]; now.Revision != bar.Revision || now.Close != bar.Close {
			t.Errorf("%v was %+v, is %+v", key, bar, now)
		}
	}
	if len(after.Bars) < len(before.Bars)+100 {
		t.Errorf("%d bars, %d before: the later ones are missing", len(after.Bars), len(before.Bars))
	}
	if len(after.Faults) > 0 {
		t.Errorf("%d faults, such as %s", len(after.Faults), after.Faults[0])
	}
}

// What TICKS lost of its end and gave to other ticks is not taken for done.
func TestTicksThatLostTheirEnd(t *testing.T) {
	t.Parallel()
	messages := oracle.Traffic(rand.New(rand.NewPCG(6, 16)), 6000)
	b := newBed(t, messages[:3000])
	// The results of a longer life of TICKS: progress beyond its end.
	s, err := b.js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	last := s.CachedInfo().State.LastSeq
	for _, name := range []string{stream.Bars, stream.Signals, stream.Rejects} {
		for p := range partitions {
			b.publish(stream.ProgressSubject(name, p), event.NewProgress(p, s.CachedInfo().Created.UnixNano(), last+1000, time.Now().UnixNano(), 1, "lost"))
		}
	}
	if err := oracle.Publish(t.Context(), b.js, partitions, messages[3000:], 0); err != nil {
		t.Fatal(err)
	}
	b.work()
	got, err := oracle.ReadPublished(t.Context(), b.js)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := oracle.DefaultRules()
	if err != nil {
		t.Fatal(err)
	}
	missing := 0
	for _, partition := range b.ticks() {
		for key := range oracle.Compute(partition, rules).Bars {
			if _, ok := got.Bars[key]; !ok && key.Timeframe == "1min" {
				missing++
			}
		}
	}
	if missing > 0 {
		t.Errorf("%d minute bars are missing", missing)
	}
}

// A rebuild that is asked for while no tick comes is done all the same.
func TestRebuildWithoutTraffic(t *testing.T) {
	t.Parallel()
	b := newBed(t, oracle.Traffic(rand.New(rand.NewPCG(7, 17)), 1000))
	stop := b.start()
	defer stop()
	testbed.Eventually(t, 20*time.Second, "the worker owns all", func(ctx context.Context) bool { return oracle.WorkedThrough(ctx, b.js, partitions) })
	from := time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC)
	if err := worker.RequestRebuild(t.Context(), b.js, partitions, from); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 30*time.Second, "the rebuild is done", func(ctx context.Context) bool {
		done, err := worker.RebuildProgress(ctx, b.js, partitions, from)
		return err == nil && done.Partitions == partitions
	})
}
