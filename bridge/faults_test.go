package bridge_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func jetStream(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatalf("open jetstream: %v", err)
	}
	return js
}

// redisOver is a client whose connections the wire can break.
func (b *bed) redisOver(wire *testbed.Wire) redis.UniversalClient {
	b.Helper()
	options, err := redis.ParseURL(b.redis.URL)
	if err != nil {
		b.Fatalf("parse redis url: %v", err)
	}
	options.Dialer = wire.DialContext
	client := redis.NewClient(options)
	b.Cleanup(func() { _ = client.Close() })
	return client
}

// An acknowledgement that is lost for longer than the duplicate window must
// not store its ticks twice.
func TestLostAcksStoreNothingTwice(t *testing.T) {
	inEachDurability(t, testLostAcksStoreNothingTwice)
}

// inEachDurability runs a test for each way to publish.
func inEachDurability(t *testing.T, test func(*testing.T, *bed)) {
	for _, durability := range []bridge.Durability{bridge.ProcessSafe, bridge.PowerSafe} {
		t.Run(string(durability), func(t *testing.T) {
			b := newBed(t)
			b.cfg.Durability = durability
			test(t, b)
		})
	}
}

func testLostAcksStoreNothingTwice(t *testing.T, b *bed) {
	wire := testbed.NewWire()
	r := b.startWith(b.cfg, b.redis.Client(), jetStream(t, b.nats.Connect(nats.SetCustomDialer(dialer{wire}))))
	b.shortenDuplicateWindow()
	payloads, want := traffic(2000)
	b.publish(payloads[:500]...)
	b.eventually("the first stored", func() bool { return r.report().Stored == 500 })

	wire.Mute()
	b.publish(payloads[500:]...)
	b.eventually("a batch stored without its ack being read", func() bool {
		return len(b.stored(stream.Ticks, stream.AllTicks)) > 500
	})
	b.eventually("the bridge trying again", func() bool { return r.report().PublishFailures > 0 })
	b.letDuplicateWindowPass()
	wire.Cut()
	wire.Unmute()
	b.eventually("all stored", func() bool { return r.report().Stored == int64(len(payloads)) })
	b.expectTicks(want)
}

// dialer makes a wire a nats.CustomDialer.
type dialer struct{ *testbed.Wire }

func TestLostSubscriptionIsAGap(t *testing.T) {
	for name, breakIt := range map[string]func(*testbed.Wire){
		"connection closed": (*testbed.Wire).Cut,
		"silent connection": (*testbed.Wire).Mute,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.cfg.SilenceTimeout = 2 * time.Second
			wire := testbed.NewWire()
			r := b.startWith(b.cfg, b.redisOver(wire), b.nats.JetStream())
			b.publish(tickOf("AAPL", 1))
			b.eventually("stored", func() bool { return r.report().Stored == 1 })
			before := time.Now()
			breakIt(wire)
			b.eventually("the loss", func() bool { return r.report().Gaps == 1 })
			wire.Unmute()
			b.eventually("subscribed again", func() bool { return r.report().Subscribed })
			b.eventually("the gap", func() bool { return len(b.stored(stream.Health, stream.HealthGap)) == 1 })
			var gap event.Gap
			if err := json.Unmarshal(b.stored(stream.Health, stream.HealthGap)[0].Data(), &gap); err != nil {
				t.Fatal(err)
			}
			if gap.From.After(before.Add(time.Second)) || gap.To.Before(before.Truncate(time.Millisecond)) || gap.Instance != b.cfg.Instance || gap.DurationSeconds <= 0 {
				t.Errorf("gap = %+v, broken at %v", gap, before)
			}
			b.publish(tickOf("AAPL", 2))
			b.eventually("ticks flow again", func() bool { return r.report().Stored == 2 })
		})
	}
}

func TestBridgeWaitsForRedis(t *testing.T) {
	b := newBed(t)
	wire := testbed.NewWire()
	wire.SetDown(true)
	cfg := b.cfg
	done := make(chan *run, 1)
	go func() { done <- b.startWith(cfg, b.redisOver(wire), b.nats.JetStream()) }()
	b.eventually("streams", func() bool {
		_, err := b.js.Stream(t.Context(), stream.Ticks)
		return err == nil
	})
	wire.SetDown(false)
	r := <-done
	if r.report().FailedConnects == 0 && r.report().Subscriptions != 1 {
		t.Errorf("report = %+v", r.report())
	}
	b.publish(tickOf("AAPL", 1))
	b.eventually("stored", func() bool { return r.report().Stored == 1 })
}

const duplicateWindow = 100 * time.Millisecond

// shortenDuplicateWindow makes JetStream forget message ids quickly, so that a
// test can show what does not depend on it remembering them.
func (b *bed) shortenDuplicateWindow() {
	b.Helper()
	ticks, err := b.js.Stream(b.Context(), stream.Ticks)
	if err != nil {
		b.Fatal(err)
	}
	cfg := ticks.CachedInfo().Config
	cfg.Duplicates = duplicateWindow
	if _, err := b.js.UpdateStream(b.Context(), cfg); err != nil {
		b.Fatalf("shorten the duplicate window: %v", err)
	}
}

// letDuplicateWindowPass waits until JetStream takes a message id again that
// it saw when this was called.
func (b *bed) letDuplicateWindowPass() {
	b.Helper()
	publish := func() bool {
		ack, err := b.js.Publish(b.Context(), stream.ClockSubject(0), []byte("{}"), jetstream.WithMsgID("probe"))
		return err == nil && !ack.Duplicate
	}
	publish()
	b.eventually("the duplicate window to pass", publish)
}

// Somebody deletes TICKS: it is made again, and goes on with what comes.
func TestDeletedStreamIsMadeAgain(t *testing.T) {
	inEachDurability(t, func(t *testing.T, b *bed) {
		r := b.start(b.cfg)
		b.publish(tickOf("AAPL", 1))
		b.eventually("stored", func() bool { return r.report().Stored == 1 })
		if err := b.js.DeleteStream(t.Context(), stream.Ticks); err != nil {
			t.Fatal(err)
		}
		payloads, want := traffic(2000)
		b.publish(payloads...)
		b.eventually("stored in the new stream", func() bool { return r.report().Stored == int64(len(payloads))+1 })
		b.expectTicks(want)
	})
}
