package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/bridge/spool"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// bed is a Redis, a NATS with our streams, and what a test does with them.
type bed struct {
	*testing.T
	redis *testbed.Redis
	nats  *testbed.NATS
	pub   *redis.Client
	js    jetstream.JetStream
	cfg   bridge.Config
	spool string // folder; empty for none
}

func newBed(t *testing.T) *bed {
	t.Helper()
	r, n := testbed.StartRedis(t), testbed.StartNATS(t)
	b := &bed{T: t, redis: r, nats: n, pub: r.Client(), js: n.JetStream()}
	b.cfg = bridge.Config{Instance: "test", Channel: r.Channels.Ticks, PublishTimeout: time.Second}
	return b
}

// run is a bridge that runs until stop is called or the test ends.
type run struct {
	report func() *presence.Bridge
	stop   func() error
}

func (b *bed) start(cfg bridge.Config) *run {
	b.Helper()
	return b.startWith(cfg, b.redis.Client(), b.nats.JetStream())
}

// startWith starts a bridge and waits until it reads and its streams are there.
func (b *bed) startWith(cfg bridge.Config, client redis.UniversalClient, js jetstream.JetStream) *run {
	b.Helper()
	r := b.launch(cfg, client, js)
	b.eventually("subscribed", func() bool { return r.report().Subscribed })
	b.eventually("streams", func() bool {
		_, err := b.js.KeyValue(b.Context(), stream.CheckpointsBucket) // the last to be made
		return err == nil
	})
	return r
}

// disk opens the bed's spool, where it has one, until the bridge has ended.
func (b *bed) disk(cfg bridge.Config) *bridge.Spool {
	b.Helper()
	if b.spool == "" {
		return nil
	}
	disk, err := bridge.OpenSpool(cfg, spool.Config{Dir: b.spool}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatalf("open the spool: %v", err)
	}
	return disk
}

// launch starts a bridge and waits for nothing.
func (b *bed) launch(cfg bridge.Config, client redis.UniversalClient, js jetstream.JetStream) *run {
	b.Helper()
	log := slog.New(slog.NewTextHandler(b.Output(), nil))
	disk := b.disk(cfg)
	ingress, err := bridge.NewIngress(cfg, client, js, stream.Config{}, disk, log)
	if err != nil {
		b.Fatalf("new ingress: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	done := make(chan error, 1)
	announcer := presence.NewAnnouncer(func(ctx context.Context) (jetstream.KeyValue, error) {
		return js.KeyValue(ctx, stream.ComponentsBucket) //nolint:wrapcheck // by the announcer
	}, func() presence.Report {
		return presence.Report{Role: presence.RoleBridge, Instance: cfg.Instance, Bridge: ingress.Report()}
	}, log)
	announced := make(chan error, 1)
	go func() { announced <- announcer.Run(ctx) }()
	go func() {
		err := errors.Join(ingress.Run(ctx), <-announced)
		if disk != nil {
			err = errors.Join(err, disk.Close())
		}
		done <- err
	}()
	stopped := false
	r := &run{report: ingress.Report, stop: func() error {
		stopped = true
		cancel()
		return <-done
	}}
	b.Cleanup(func() {
		if !stopped {
			_ = r.stop() // the test is over; its own checks were made
		}
	})
	return r
}

func (b *bed) eventually(what string, condition func() bool) {
	b.Helper()
	testbed.Eventually(b, 30*time.Second, what, func(context.Context) bool { return condition() })
}

// tickOf is one tick; n makes it unlike all others.
func tickOf(symbol string, n int) string {
	return fmt.Sprintf(`{"type":"market_tick","symbol":%q,"price":%d.25,"volume":%d,"timestamp":%.3f,"source":"simulated"}`,
		symbol, 100+n%50, n, float64(time.Now().UnixMilli())/1000)
}

func (b *bed) publish(payloads ...string) {
	b.Helper()
	for len(payloads) > 0 {
		n := min(len(payloads), 1000)
		_, err := b.pub.Pipelined(b.Context(), func(p redis.Pipeliner) error {
			for _, payload := range payloads[:n] {
				p.Publish(b.Context(), b.redis.Channels.Ticks, payload)
			}
			return nil
		})
		if err != nil {
			b.Fatalf("publish ticks: %v", err)
		}
		payloads = payloads[n:]
	}
}

// stored reads a whole stream, in its order, by an ordered consumer.
func (b *bed) stored(name string, filters ...string) []jetstream.Msg {
	b.Helper()
	b.eventually("the test itself connected", b.js.Conn().IsConnected)
	consumer, err := b.js.OrderedConsumer(b.Context(), name, jetstream.OrderedConsumerConfig{FilterSubjects: filters})
	if err != nil {
		b.Fatalf("consume %s: %v", name, err)
	}
	info, err := consumer.Info(b.Context())
	if err != nil {
		b.Fatalf("consume %s: %v", name, err)
	}
	// Those that wait for something come here often, and a stream has so many
	// consumers at most.
	defer func() { _ = b.js.DeleteConsumer(b.Context(), name, info.Name) }()
	msgs := make([]jetstream.Msg, 0, info.NumPending)
	if info.NumPending == 0 {
		return msgs
	}
	reading, err := consumer.Messages()
	if err != nil {
		b.Fatalf("consume %s: %v", name, err)
	}
	defer reading.Stop()
	for range info.NumPending {
		msg, err := reading.Next(jetstream.NextMaxWait(10 * time.Second))
		if err != nil {
			b.Fatalf("read %s after %d of %d messages: %v", name, len(msgs), info.NumPending, err)
		}
		msgs = append(msgs, msg)
	}
	return msgs
}

// expectTicks compares TICKS with what was published, a symbol at a time.
func (b *bed) expectTicks(published map[string][]string) {
	b.Helper()
	got := map[string][]string{}
	for _, msg := range b.stored(stream.Ticks, stream.AllTicks) {
		tick, ok := stream.ParseStoredTick(msg.Subject())
		if !ok {
			b.Fatalf("stored under %s", msg.Subject())
		}
		got[tick.Symbol] = append(got[tick.Symbol], string(msg.Data()))
	}
	for symbol, want := range published {
		have := got[symbol]
		for i := range min(len(have), len(want)) {
			if have[i] != want[i] {
				b.Fatalf("%s: tick %d is %s, published was %s", symbol, i, have[i], want[i])
			}
		}
		if len(have) != len(want) {
			b.Fatalf("%s: %d ticks stored, %d published", symbol, len(have), len(want))
		}
		delete(got, symbol)
	}
	if len(got) > 0 {
		b.Fatalf("ticks of symbols that were not published: %v", got)
	}
}
