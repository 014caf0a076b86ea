package bridge_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// change changes the configuration of TICKS, as an operator might.
func (b *bed) change(with func(*jetstream.StreamConfig)) {
	b.Helper()
	ticks, err := b.js.Stream(b.Context(), stream.Ticks)
	if err != nil {
		b.Fatal(err)
	}
	cfg := ticks.CachedInfo().Config
	with(&cfg)
	if _, err := b.js.UpdateStream(b.Context(), cfg); err != nil {
		b.Fatal(err)
	}
}

// TICKS is at a limit at which it takes nothing more: what is read waits on disk,
// health can tell, and all of it is stored in order once there is room.
func TestStorageLimitHoldsTicksBack(t *testing.T) {
	for name, limit := range map[string]func(*jetstream.StreamConfig, jetstream.StreamState){
		"messages": func(c *jetstream.StreamConfig, s jetstream.StreamState) { c.MaxMsgs = int64(s.Msgs) + 137 },
		"bytes":    func(c *jetstream.StreamConfig, s jetstream.StreamState) { c.MaxBytes = int64(s.Bytes) + 20_000 },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.spool = t.TempDir()
			r := b.start(b.cfg)
			payloads, want := traffic(3000)
			b.publish(payloads[:1000]...)
			b.eventually("stored", func() bool { return r.report().Stored == 1000 })
			ticks, err := b.js.Stream(t.Context(), stream.Ticks)
			if err != nil {
				t.Fatal(err)
			}
			state := ticks.CachedInfo().State
			var before jetstream.StreamConfig
			b.change(func(c *jetstream.StreamConfig) {
				before = *c
				c.Discard = jetstream.DiscardNew
				limit(c, state)
			})
			b.publish(payloads[1000:]...)
			b.eventually("held back, on disk, and told", func() bool {
				report := r.report()
				return report.Received == 3000 && report.SpooledTicks > 500 && report.PublishBlockedMs > 0 && report.PublishFailures > 0
			})
			b.change(func(c *jetstream.StreamConfig) { *c = before })
			b.eventually("all stored", func() bool { return r.report().Stored == 3000 && r.report().SpooledBytes == 0 })
			b.expectTicks(want)
			if report := r.report(); report.Shed != 0 || report.Gaps != 0 {
				t.Errorf("report = %+v", report)
			}
		})
	}
}

// A purge takes what was stored; what comes after it is stored as ever.
func TestPurgedTicksGoOn(t *testing.T) {
	b := newBed(t)
	r := b.start(b.cfg)
	payloads, _ := traffic(3000)
	ticks, err := b.js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		b.publish(payloads[n*1000 : (n+1)*1000]...)
		if n < 2 {
			if err := ticks.Purge(t.Context()); err != nil { // with a part under way
				t.Fatal(err)
			}
		}
		b.eventually("stored", func() bool { return r.report().Stored == int64(n+1)*1000 })
	}
	var got []string
	for _, msg := range b.stored(stream.Ticks, stream.AllTicks) {
		got = append(got, string(msg.Data()))
	}
	slices.Sort(got)
	if unique := len(slices.Compact(slices.Clone(got))); unique != len(got) || len(got) < 1000 {
		t.Errorf("%d ticks left, %d different ones, want the last 1000 at least, each once", len(got), unique)
	}
}

// The bucket of the lease is deleted under the bridge that leads, which makes it
// again and goes on.
func TestDeletedLeasesCostNoTick(t *testing.T) {
	b := newBed(t)
	r := b.start(b.cfg)
	payloads, want := traffic(2000)
	b.publish(payloads[:1000]...)
	b.eventually("stored", func() bool { return r.report().Stored == 1000 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.js.DeleteKeyValue(ctx, stream.LeasesBucket); err != nil {
		t.Fatal(err)
	}
	b.publish(payloads[1000:]...)
	b.eventually("all stored", func() bool { return r.report().Stored == 2000 })
	b.eventually("the bucket made again", func() bool {
		_, err := b.js.KeyValue(ctx, stream.LeasesBucket)
		return err == nil
	})
	b.expectTicks(want)
}
