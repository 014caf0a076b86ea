package stream_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func ensure(t *testing.T, js jetstream.JetStream, cfg stream.Config) stream.Layout {
	t.Helper()
	layout, err := stream.Ensure(t.Context(), js, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("ensure streams: %v", err)
	}
	return layout
}

func config(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	s, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatalf("look up %s: %v", name, err)
	}
	return s.CachedInfo().Config
}

func TestEnsureMakesWhatVerifyMisses(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	findings, err := stream.Verify(t.Context(), js, stream.Config{})
	if err != nil || len(findings) != 9 {
		t.Fatalf("on an empty server: %d findings %v, %v; want the 5 streams and 4 buckets", len(findings), findings, err)
	}
	if layout := ensure(t, js, stream.Config{}); layout.Partitions != stream.DefaultPartitions {
		t.Errorf("partitions = %d, want the default", layout.Partitions)
	}
	findings, err = stream.Verify(t.Context(), js, stream.Config{})
	if err != nil || len(findings) != 0 {
		t.Errorf("after Ensure: %v, %v; want none", findings, err)
	}
}

func TestEnsureByManyAtOnce(t *testing.T) {
	n := testbed.StartNATS(t)
	var wg sync.WaitGroup
	for range 4 {
		js := n.JetStream()
		wg.Go(func() {
			// Small, for the server reserves it for each that asks at once.
			if _, err := stream.Ensure(t.Context(), js, stream.Config{TicksMaxBytes: 1 << 30}, slog.New(slog.DiscardHandler)); err != nil {
				t.Errorf("ensure: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestTicksArePartitionedBySymbol(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	layout := ensure(t, js, stream.Config{Partitions: 4})
	partitionOf := map[string]int{}
	for range 2 {
		for _, symbol := range []string{"AAPL", "BRK.B", "O:SPY251219C00650000", "^SPX", "EUR/USD", "a b*>"} {
			ack, err := js.Publish(t.Context(), stream.TickSubject(symbol), []byte("{}"))
			if err != nil {
				t.Fatalf("publish tick of %q: %v", symbol, err)
			}
			ticks, err := js.Stream(t.Context(), stream.Ticks)
			if err != nil {
				t.Fatal(err)
			}
			msg, err := ticks.GetMsg(t.Context(), ack.Sequence)
			if err != nil {
				t.Fatal(err)
			}
			stored, ok := stream.ParseStoredTick(msg.Subject)
			if !ok || stored.Symbol != symbol || stored.Partition >= layout.Partitions {
				t.Fatalf("%q is stored as %s (%+v, %v)", symbol, msg.Subject, stored, ok)
			}
			if want := stream.PartitionOf(symbol, layout.Partitions); stored.Partition != want {
				t.Errorf("%q is stored in partition %d, PartitionOf says %d", symbol, stored.Partition, want)
			}
			if said := stream.PublishedPartition(stream.TickSubject(symbol), layout.Partitions); said != stored.Partition {
				t.Errorf("%q is stored in partition %d, PublishedPartition says %d", symbol, stored.Partition, said)
			}
			if before, seen := partitionOf[symbol]; seen && before != stored.Partition {
				t.Errorf("%q moved from partition %d to %d", symbol, before, stored.Partition)
			}
			partitionOf[symbol] = stored.Partition
		}
	}
}

func TestEnsureChangesLimitsOfItsOwnStreamsOnly(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	operators := jetstream.StreamConfig{
		Name: stream.Bars, Subjects: []string{"tickstock.bars.*.*", "tickstock.progress.bars.*"},
		MaxAge: time.Hour, AllowDirect: true, AllowAtomicPublish: true,
	}
	if _, err := js.CreateStream(t.Context(), operators); err != nil {
		t.Fatal(err)
	}
	ensure(t, js, stream.Config{})
	ensure(t, js, stream.Config{TicksMaxAge: 3 * time.Hour})
	if age := config(t, js, stream.Ticks).MaxAge; age != 3*time.Hour {
		t.Errorf("max age of TICKS = %v, want the new setting", age)
	}
	if age := config(t, js, stream.Bars).MaxAge; age != time.Hour {
		t.Errorf("max age of the operator's BARS = %v, want it left alone", age)
	}
}

func TestEnsureRefusesAnotherShape(t *testing.T) {
	for name, c := range map[string]struct {
		made  jetstream.StreamConfig
		asked stream.Config
		says  string
	}{
		"subjects":     {jetstream.StreamConfig{Name: stream.Bars, Subjects: []string{"bars.>"}, AllowDirect: true, AllowAtomicPublish: true}, stream.Config{}, "subjects"},
		"storage":      {jetstream.StreamConfig{Name: stream.Health, Subjects: []string{"tickstock.health.*", "tickstock.session.*"}, Storage: jetstream.MemoryStorage, AllowDirect: true}, stream.Config{}, "storage"},
		"no transform": {jetstream.StreamConfig{Name: stream.Ticks, Subjects: []string{"tickstock.ticks.*", "tickstock.clock.*.mark"}}, stream.Config{}, "transform"},
	} {
		t.Run(name, func(t *testing.T) {
			js := testbed.StartNATS(t).JetStream()
			if _, err := js.CreateStream(t.Context(), c.made); err != nil {
				t.Fatal(err)
			}
			_, err := stream.Ensure(t.Context(), js, c.asked, slog.New(slog.DiscardHandler))
			if !errors.Is(err, stream.ErrConflict) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Ensure = %v, want a conflict that names the %s", err, c.says)
			}
			for _, other := range []string{stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects} {
				config(t, js, other) // health must be able to tell of it
			}
			if _, err := js.KeyValue(t.Context(), stream.LeasesBucket); err != nil {
				t.Errorf("leases: %v", err)
			}
			if got := config(t, js, c.made.Name); strings.Join(got.Subjects, " ") != strings.Join(c.made.Subjects, " ") {
				t.Errorf("subjects became %v", got.Subjects)
			}
		})
	}
}

func TestPartitionsAreFixedOnceMade(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{Partitions: 3})
	if layout := ensure(t, js, stream.Config{}); layout.Partitions != 3 {
		t.Errorf("without asking: %d partitions, want the stream's 3", layout.Partitions)
	}
	_, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: 5}, slog.New(slog.DiscardHandler))
	if !errors.Is(err, stream.ErrConflict) {
		t.Errorf("asking for 5: %v, want a conflict", err)
	}
}

func TestConfigValidateNamesTheSetting(t *testing.T) {
	for _, c := range []struct {
		cfg  stream.Config
		says string
	}{
		{stream.Config{Partitions: -1}, "partitions"},
		{stream.Config{Replicas: 2}, "replicas"},
		{stream.Config{TicksMaxAge: time.Second}, "ticks max age"},
		{stream.Config{TicksMaxBytes: 1}, "max bytes"},
		{stream.Config{DuplicateWindow: time.Millisecond}, "duplicate window"},
	} {
		if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Validate(%+v) = %v, want it to name %s", c.cfg, err, c.says)
		}
	}
	if err := (stream.Config{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// A stream that an earlier tickstream made gets the subjects that are new.
func TestEnsureAddsSubjectsToItsOwnStreams(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{})
	earlier := config(t, js, stream.Bars)
	want := earlier.Subjects
	earlier.Subjects = want[:1]
	if _, err := js.UpdateStream(t.Context(), earlier); err != nil {
		t.Fatal(err)
	}
	ensure(t, js, stream.Config{})
	if got := config(t, js, stream.Bars).Subjects; !slices.Equal(got, want) {
		t.Errorf("subjects are %v, want %v", got, want)
	}
}
