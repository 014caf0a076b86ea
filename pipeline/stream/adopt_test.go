package stream_test

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// byHand are the streams as an operator makes them, with limits of their own.
func byHand() map[string]jetstream.StreamConfig {
	made := map[string]jetstream.StreamConfig{
		stream.Ticks: {
			Subjects:           []string{"tickstock.ticks.*", "tickstock.clock.*.mark"},
			SubjectTransform:   &jetstream.SubjectTransformConfig{Source: "tickstock.ticks.*", Destination: "tickstock.ticks.{{partition(4,1)}}.{{wildcard(1)}}"},
			AllowAtomicPublish: true, AllowBatchPublish: true, MaxMsgs: 1_000_000, Compression: jetstream.S2Compression,
		},
		stream.Bars:    {Subjects: []string{"tickstock.bars.*.*", "tickstock.progress.bars.*"}, AllowAtomicPublish: true, Replicas: 1},
		stream.Signals: {Subjects: []string{"tickstock.signals.*.*.*", "tickstock.progress.signals.*"}, AllowAtomicPublish: true, MaxMsgSize: 1 << 20},
		stream.Health:  {Subjects: []string{"tickstock.health.*", "tickstock.session.*"}, MaxMsgsPerSubject: 10_000, MaxConsumers: 100},
		stream.Rejects: {Subjects: []string{"tickstock.rejects.*", "tickstock.progress.rejects.*"}, AllowAtomicPublish: true, AllowBatchPublish: true, DenyDelete: true},
	}
	for name, cfg := range made {
		cfg.Name, cfg.Description, cfg.AllowDirect = name, "the operator's", true
		cfg.MaxAge, cfg.MaxBytes, cfg.Duplicates = 12*time.Hour, 256<<20, 20*time.Second
		cfg.Metadata = map[string]string{"team": "markets"}
		made[name] = cfg
	}
	return made
}

// What an operator made is used as it is, whatever the settings say.
func TestStreamsOfAnOperatorAreAdopted(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	before := map[string]jetstream.StreamConfig{}
	for name, cfg := range byHand() {
		if _, err := js.CreateStream(t.Context(), cfg); err != nil {
			t.Fatalf("make %s: %v", name, err)
		}
		before[name] = config(t, js, name)
	}
	for _, asked := range []stream.Config{
		{}, {Partitions: 4}, {TicksMaxAge: time.Hour, TicksMaxBytes: 1 << 30, BarsMaxAge: time.Hour, DuplicateWindow: time.Minute, RejectsMaxBytes: 2 << 30},
	} {
		if layout := ensure(t, js, asked); layout.Partitions != 4 {
			t.Errorf("%d partitions, want the operator's 4", layout.Partitions)
		}
		for name, want := range before {
			if have := config(t, js, name); !reflect.DeepEqual(have, want) {
				t.Errorf("%s was changed to\n%+v, it was\n%+v", name, have, want)
			}
		}
	}
	findings, err := stream.Verify(t.Context(), js, stream.Config{})
	if err != nil || len(findings) != 0 {
		t.Errorf("doctor would find %v, %v", findings, err)
	}
	ack, err := js.Publish(t.Context(), stream.TickSubject("BRK.B"), []byte("{}"))
	if err != nil || ack.Stream != stream.Ticks {
		t.Errorf("a tick: %+v, %v", ack, err)
	}
}

// What would keep tickstream from its work is one sentence with its mend.
func TestMisfitOfAnOperatorIsSaid(t *testing.T) {
	const edit, anew = "change that by nats stream edit ", "; delete or rename that stream"
	for name, c := range map[string]struct {
		stream     string
		change     func(*jetstream.StreamConfig)
		says, mend string
	}{
		"no acknowledgements": {stream.Bars, func(c *jetstream.StreamConfig) { c.NoAck = true }, "no_ack is true, wanted false", edit},
		"one tick a symbol":   {stream.Ticks, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, "max_msgs_per_subject is 1, wanted no limit", edit},
		"small messages":      {stream.Ticks, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }, "max_msg_size is 1000, wanted at least 131072 or no limit", edit},
		"few consumers":       {stream.Ticks, func(c *jetstream.StreamConfig) { c.MaxConsumers = 8 }, "max_consumers is 8, wanted at least 36 or no limit", anew},
		"limits of consumers": {stream.Signals, func(c *jetstream.StreamConfig) { c.ConsumerLimits.MaxAckPending = 10 }, "consumer_limits are set", edit},
		"counters":            {stream.Health, func(c *jetstream.StreamConfig) { c.AllowMsgCounter = true }, "allow_msg_counter is true", anew},
		"no batches":          {stream.Bars, func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }, "allow_atomic is false, wanted true", edit},
		"sources":             {stream.Rejects, func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{{Name: "OTHER"}} }, "it has sources", edit},
		"asynchronous":        {stream.Health, func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "persist_mode is async", anew},
		"a work queue":        {stream.Signals, func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "retention is WorkQueue, wanted Limits", anew},
	} {
		t.Run(name, func(t *testing.T) {
			js := testbed.StartNATS(t).JetStream()
			cfg := byHand()[c.stream]
			c.change(&cfg)
			if _, err := js.CreateStream(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			before := config(t, js, c.stream)
			_, err := stream.Ensure(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler))
			if !errors.Is(err, stream.ErrConflict) {
				t.Fatalf("Ensure = %v, want a conflict", err)
			}
			if said := err.Error(); !strings.HasPrefix(said, "stream "+c.stream+": ") || !strings.Contains(said, c.says) || !strings.Contains(said, c.mend) || strings.Contains(said, "\n") {
				t.Errorf("it says %q, want %q and %q", said, c.says, c.mend)
			}
			if have := config(t, js, c.stream); !reflect.DeepEqual(have, before) {
				t.Errorf("it was changed to %+v", have)
			}
		})
	}
}
