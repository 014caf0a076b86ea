package stream_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// An operator's change, by whatever tool, outlives each start that does not ask
// for another value.
func TestEnsureLeavesTheLimitsThatItIsNotAskedToChange(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{})
	edited := map[string]jetstream.StreamConfig{}
	for _, name := range []string{stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects} {
		cfg := config(t, js, name)
		cfg.MaxAge, cfg.MaxBytes, cfg.Duplicates = 90*24*time.Hour, 3<<30, 5*time.Minute
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		edited[name] = cfg
	}
	check := func(name string, age time.Duration) {
		t.Helper()
		have := config(t, js, name)
		if have.MaxAge != age || have.MaxBytes != 3<<30 || have.Duplicates != 5*time.Minute || have.Replicas != 1 {
			t.Errorf("%s has the limits %v, %d bytes, %v, %d replicas; want those of the operator", name, have.MaxAge, have.MaxBytes, have.Duplicates, have.Replicas)
		}
	}
	ensure(t, js, stream.Config{NewTicksMaxBytes: 64 << 20})
	for name, cfg := range edited {
		check(name, cfg.MaxAge)
	}
	ensure(t, js, stream.Config{TicksMaxAge: 48 * time.Hour})
	for name, cfg := range edited {
		age := cfg.MaxAge
		if name == stream.Ticks {
			age = 48 * time.Hour
		}
		check(name, age)
	}
}

func TestEnsureLeavesBucketsAsTheyAre(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{})
	edit := func(name string, change func(*jetstream.KeyValueConfig)) {
		t.Helper()
		kv, err := js.KeyValue(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		status, err := kv.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cfg := status.Config()
		change(&cfg)
		if _, err := js.UpdateKeyValue(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	edit(stream.HealthBucket, func(cfg *jetstream.KeyValueConfig) { cfg.MaxBytes = 7 << 20 })
	edit(stream.LeasesBucket, func(cfg *jetstream.KeyValueConfig) { cfg.MaxBytes, cfg.TTL = 7<<20, time.Hour })
	ensure(t, js, stream.Config{})
	for _, name := range []string{stream.HealthBucket, stream.LeasesBucket} {
		kv, err := js.KeyValue(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		status, err := kv.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if status.Config().MaxBytes != 7<<20 {
			t.Errorf("%s may have %d bytes, want what the operator gave it", name, status.Config().MaxBytes)
		}
		if name == stream.LeasesBucket && status.TTL() != stream.LeaseTTL {
			t.Errorf("TTL of %s is %v: a lease would outlive its holder", name, status.TTL())
		}
	}
}

func TestNewTicksGetTheSizeForNewOnes(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{NewTicksMaxBytes: 64 << 20})
	if size := config(t, js, stream.Ticks).MaxBytes; size != 64<<20 {
		t.Errorf("TICKS may have %d bytes, want 64 MiB", size)
	}
}

// What an operator asks for is done, and its price is said.
func TestEnsureWarnsOfWhatALimitCosts(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{})
	for range 2 {
		if _, err := js.Publish(t.Context(), stream.TickSubject("A"), make([]byte, 600<<10)); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	say := slog.New(slog.NewTextHandler(&log, nil))
	if _, err := stream.Ensure(t.Context(), js, stream.Config{TicksMaxBytes: 2 << 20}, say); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "deleted") {
		t.Errorf("a limit that all fits in: %s", &log)
	}
	if _, err := stream.Ensure(t.Context(), js, stream.Config{TicksMaxBytes: 1 << 20}, say); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "deleted") || !strings.Contains(log.String(), "stream=TICKS") {
		t.Errorf("no warning that ticks are deleted: %s", &log)
	}
}

func TestAShorterAgeShortensTheDuplicateWindow(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	ensure(t, js, stream.Config{DuplicateWindow: 3 * time.Hour})
	ensure(t, js, stream.Config{TicksMaxAge: 2 * time.Hour})
	if have := config(t, js, stream.Ticks); have.MaxAge != 2*time.Hour || have.Duplicates != 2*time.Hour {
		t.Errorf("max age %v and duplicate window %v, want 2h for both", have.MaxAge, have.Duplicates)
	}
}
