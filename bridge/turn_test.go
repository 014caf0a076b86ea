package bridge_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// named is the bed's configuration for a bridge of that name.
func (b *bed) named(instance string) bridge.Config {
	cfg := b.cfg
	cfg.Instance = instance
	return cfg
}

// eachSource runs a test on a channel and on a Redis stream, with a way to feed it.
func eachSource(t *testing.T, test func(*bed, func(...string))) {
	t.Run("channel", func(t *testing.T) {
		b := newBed(t)
		test(b, b.publish)
	})
	t.Run("stream", func(t *testing.T) {
		b := newStreamBed(t)
		test(b, func(payloads ...string) { b.add("data", payloads...) })
	})
}

func TestSecondBridgeStandsByAndTakesOver(t *testing.T) {
	eachSource(t, func(b *bed, feed func(...string)) {
		first := b.start(b.named("first"))
		payloads, want := traffic(2000)
		feed(payloads[:500]...)
		b.eventually("stored", func() bool { return first.report().Stored == 500 })
		second := b.launch(b.named("second"), b.redis.Client(), b.nats.JetStream())
		b.eventually("the second on standby", func() bool {
			report := second.report()
			return report.State == presence.StateStandby && (report.Subscribed || b.cfg.Source == bridge.Stream)
		})
		feed(payloads[500:1000]...)
		b.eventually("stored by the first", func() bool { return first.report().Stored == 1000 })
		hears := second.report().Received != 0
		if hears != (b.cfg.Source != bridge.Stream) || second.report().Stored != 0 || first.report().State != presence.StateActive {
			b.Errorf("on standby: %+v", second.report())
		}
		if gaps := b.stored(stream.Health, stream.HealthGap); len(gaps) != 0 {
			b.Errorf("a gap, though the first listens: %s", gaps[0].Data())
		}
		if err := first.stop(); err != nil {
			b.Fatal(err)
		}
		b.eventually("the second reading", func() bool { return second.report().Subscribed })
		feed(payloads[1000:]...)
		b.eventually("stored by the second", func() bool { return second.report().Stored == 1000 })
		b.expectTicks(want)
		if second.report().State != presence.StateActive {
			b.Error("still on standby")
		}
	})
}

// The bridge that comes after another reports since when nobody listened.
func TestTakeoverReportsTheTimeBetween(t *testing.T) {
	b := newBed(t)
	first := b.start(b.named("first"))
	b.eventually("a clock mark", func() bool { return len(b.stored(stream.Ticks, stream.AllClockMarks)) > 0 })
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	b.launch(b.named("second"), b.redis.Client(), b.nats.JetStream())
	stopped := time.Now()
	b.eventually("the gap", func() bool { return len(b.stored(stream.Health, stream.HealthGap)) == 1 })
	var gap event.Gap
	if err := json.Unmarshal(b.stored(stream.Health, stream.HealthGap)[0].Data(), &gap); err != nil {
		t.Fatal(err)
	}
	if gap.Instance != "second" || gap.From.After(stopped) || !gap.To.After(gap.From.Time) {
		t.Errorf("gap = %+v", gap)
	}
}

// Without NATS nobody can say whose turn it is: ticks are read all the same.
func TestBridgeReadsBeforeNATSIsThere(t *testing.T) {
	b := newBed(t)
	nc := b.nats.Connect(nats.SetCustomDialer(dialer{testbed.NewWire()}))
	b.nats.Stop()
	r := b.launch(b.named("only"), b.redis.Client(), jetStream(t, nc))
	b.eventually("subscribed", func() bool { return r.report().Subscribed })
	payloads, want := traffic(1000)
	b.publish(payloads...)
	b.eventually("read", func() bool { return r.report().Received == 1000 })
	b.nats.Start()
	b.eventually("stored", func() bool { return r.report().Stored == 1000 })
	b.expectTicks(want)
}

// A bridge that could not see NATS, while another read and stored the same.
func TestBridgeYieldsToTheOneThatHoldsTheLease(t *testing.T) {
	b := newBed(t)
	wire := testbed.NewWire()
	js := jetStream(t, b.nats.Connect(nats.SetCustomDialer(dialer{wire})))
	wire.SetDown(true)
	late := b.launch(b.named("late"), b.redis.Client(), js)
	b.eventually("the late one reading", func() bool { return late.report().Subscribed })
	first := b.start(b.named("first"))
	payloads, want := traffic(500)
	b.publish(payloads...)
	b.eventually("both have read", func() bool { return first.report().Received == 500 && late.report().Received == 500 })
	b.eventually("stored by the first", func() bool { return first.report().Stored == 500 })
	wire.SetDown(false)
	b.eventually("the late one on standby", func() bool { return late.report().State == presence.StateStandby })
	b.eventually("what the other stored let go of", func() bool { return late.report().QueuedTicks == 0 })
	b.expectTicks(want)
	if report := late.report(); report.Stored != 0 || report.Shed != 0 {
		t.Errorf("the late one: %+v", report)
	}
	if gaps := b.stored(stream.Health, stream.HealthGap); len(gaps) != 0 {
		t.Errorf("a gap, though the first listens: %s", gaps[0].Data())
	}
}

// An outage outlasts the lease: nobody else took it, so nothing changes.
func TestLeaseLostToAnOutageStopsNoReading(t *testing.T) {
	b := newBed(t)
	wire := testbed.NewWire()
	r := b.startWith(b.named("only"), b.redis.Client(), jetStream(t, b.nats.Connect(nats.SetCustomDialer(dialer{wire}))))
	payloads, want := traffic(2000)
	b.publish(payloads[:1000]...)
	b.eventually("stored", func() bool { return r.report().Stored == 1000 })
	wire.SetDown(true)
	b.eventually("the lease run out", func() bool {
		bucket, err := b.js.KeyValue(t.Context(), stream.LeasesBucket)
		if err != nil {
			return false
		}
		keys, err := bucket.Keys(t.Context())
		return len(keys) == 0 && err != nil && strings.Contains(err.Error(), "no keys")
	})
	b.publish(payloads[1000:]...)
	b.eventually("read meanwhile", func() bool { return r.report().Received == 2000 })
	wire.SetDown(false)
	b.eventually("stored after it", func() bool { return r.report().Stored == 2000 })
	b.expectTicks(want)
	if report := r.report(); report.Subscriptions != 1 || report.Shed != 0 || report.Gaps != 0 {
		t.Errorf("report = %+v", report)
	}
}

func TestStopWithNothingReadWaitsForNobody(t *testing.T) {
	for name, start := range map[string]func(*bed) *run{
		"NATS gone": func(b *bed) *run {
			r := b.start(b.cfg)
			b.nats.Stop()
			return r
		},
		"NATS never there": func(b *bed) *run {
			js := b.nats.JetStream()
			b.nats.Stop()
			r := b.launch(b.cfg, b.redis.Client(), js)
			b.eventually("subscribed", func() bool { return r.report().Subscribed })
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			r := start(b)
			began := time.Now()
			if err := r.stop(); err != nil {
				t.Errorf("stop = %v", err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("stop took %v", took)
			}
		})
	}
}
