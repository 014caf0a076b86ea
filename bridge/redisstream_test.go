package bridge_test

import (
	"bytes"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// newStreamBed is a bed whose source is a Redis stream.
func newStreamBed(t *testing.T) *bed {
	t.Helper()
	b := newBed(t)
	b.cfg.Source, b.cfg.Channel = bridge.Stream, b.redis.Channels.Ticks+":stream"
	t.Cleanup(func() { b.pub.Del(t.Context(), b.cfg.Channel) })
	return b
}

func (b *bed) add(field string, payloads ...string) {
	b.Helper()
	_, err := b.pub.Pipelined(b.Context(), func(p redis.Pipeliner) error {
		for _, payload := range payloads {
			p.XAdd(b.Context(), &redis.XAddArgs{Stream: b.cfg.Channel, Values: []any{field, payload}})
		}
		return nil
	})
	if err != nil {
		b.Fatalf("add to the stream: %v", err)
	}
}

func (b *bed) unacknowledged() int64 {
	b.Helper()
	pending, err := b.pub.XPending(b.Context(), b.cfg.Channel, "tickstream").Result()
	if err != nil {
		b.Fatalf("read what is pending: %v", err)
	}
	return pending.Count
}

func TestStreamEntriesAreAcknowledgedOnceStored(t *testing.T) {
	b := newStreamBed(t)
	payloads, want := traffic(3000)
	b.add("data", payloads[:1000]...) // before the bridge exists
	r := b.start(b.cfg)
	b.add("data", payloads[1000:]...)
	b.add("data", "no tick")
	b.eventually("all stored", func() bool { return r.report().Stored == int64(len(payloads)) })
	b.expectTicks(want)
	b.eventually("all acknowledged, the reject too", func() bool { return b.unacknowledged() == 0 })
}

func TestStreamIsReadOnAfterARestart(t *testing.T) {
	b := newStreamBed(t)
	payloads, want := traffic(2000)
	r := b.start(b.cfg)
	b.add("data", payloads[:1000]...)
	b.eventually("stored", func() bool { return r.report().Stored == 1000 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	b.add("data", payloads[1000:]...) // while no bridge runs
	r = b.start(b.cfg)
	b.eventually("all stored", func() bool { return r.report().Stored == 1000 })
	b.expectTicks(want)
	if gaps := b.stored(stream.Health, stream.HealthGap); len(gaps) != 0 {
		t.Errorf("a stream has no gaps, got %s", gaps[0].Data())
	}
}

// An entry that was stored, but whose acknowledgement Redis never got, is
// given out again: to the same consumer's next life, long after the duplicate
// window.
func TestRedeliveredEntriesAreNotStoredTwice(t *testing.T) {
	b := newStreamBed(t)
	payloads, want := traffic(1000)
	wire := testbed.NewWire()
	r := b.startWith(b.cfg, b.redisOver(wire), b.nats.JetStream())
	b.shortenDuplicateWindow()
	b.add("data", payloads[:500]...)
	b.eventually("stored", func() bool { return r.report().Stored == 500 })
	b.eventually("acknowledged", func() bool { return b.unacknowledged() == 0 })

	// From here on the bridge cannot acknowledge to Redis what it stores.
	wire.RefuseWrites("xack")
	b.add("data", payloads[500:]...)
	b.eventually("all stored", func() bool { return r.report().Stored == 1000 })
	wire.SetDown(true)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if left := b.unacknowledged(); left == 0 {
		t.Fatal("nothing was left unacknowledged")
	}
	b.letDuplicateWindowPass()
	r = b.start(b.cfg)
	b.eventually("acknowledged", func() bool { return b.unacknowledged() == 0 })
	b.expectTicks(want)
}

func TestEntryWithoutItsFieldIsRefused(t *testing.T) {
	b := newStreamBed(t)
	r := b.start(b.cfg)
	if err := b.pub.XAdd(t.Context(), &redis.XAddArgs{Stream: b.cfg.Channel, Values: []any{"a", "1", "b", "2"}}).Err(); err != nil {
		t.Fatal(err)
	}
	b.add("only", tickOf("AAPL", 1))
	b.eventually("the tick of the only field", func() bool { return r.report().Stored == 1 })
	b.eventually("the reject", func() bool { return len(b.stored(stream.Rejects)) == 1 })
	reject := b.stored(stream.Rejects)[0]
	if reason := reject.Headers().Get(event.HeaderRejectReason); reason != "field_missing" {
		t.Errorf("reason = %q (%s)", reason, reject.Data())
	}
	b.eventually("acknowledged", func() bool { return b.unacknowledged() == 0 })
}

// losing closes a connection instead of giving a reply that holds word, once.
type losing struct {
	net.Conn
	word  []byte
	armed *atomic.Bool
}

func (c losing) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bytes.Contains(b[:n], c.word) && c.armed.Swap(false) {
		_ = c.Conn.Close() // the loss is the point
		return 0, io.EOF
	}
	return n, err
}

// go-redis repeats a read by itself, and Redis has given the entries of the
// lost reply out already.
func TestLostReplyKeepsTheOrder(t *testing.T) {
	b := newStreamBed(t)
	var armed atomic.Bool
	client, _ := b.redisThrough(func(c net.Conn) net.Conn { return losing{c, []byte("LOSE-ME"), &armed} })
	r := b.startWith(b.cfg, client, b.nats.JetStream())
	entry := func(source string) string {
		return `{"symbol":"A","price":1,"timestamp":1728300000,"source":"` + source + `"}`
	}
	want := []string{entry("1"), entry("2-LOSE-ME"), entry("3"), entry("4")}
	b.add("data", want[0])
	b.eventually("the first stored", func() bool { return r.report().Stored == 1 })
	armed.Store(true)
	b.add("data", want[1])
	b.eventually("a reply lost", func() bool { return !armed.Load() })
	b.add("data", want[2:]...)
	b.eventually("all stored", func() bool { return r.report().Stored == 4 })
	var got []string
	for _, msg := range b.stored(stream.Ticks, stream.TickFilter("A")) {
		got = append(got, string(msg.Data()))
	}
	if !slices.Equal(got, want) {
		t.Errorf("stored %q", got)
	}
}

// An entry that became a reject, but whose acknowledgement Redis never got, is
// given out again to the same consumer's next life.
func TestRedeliveredRejectsAreNotKeptTwice(t *testing.T) {
	b := newStreamBed(t)
	wire := testbed.NewWire()
	r := b.startWith(b.cfg, b.redisOver(wire), b.nats.JetStream())
	rejects, err := b.js.Stream(t.Context(), stream.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	cfg := rejects.CachedInfo().Config
	cfg.Duplicates = duplicateWindow
	if _, err := b.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	wire.RefuseWrites("xack")
	b.add("data", "no tick")
	b.eventually("the reject", func() bool { return len(b.stored(stream.Rejects)) == 1 })
	wire.SetDown(true)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	b.eventually("the duplicate window to pass", func() bool {
		ack, err := b.js.Publish(t.Context(), stream.RejectSubject("probe"), nil, jetstream.WithMsgID("probe"))
		return err == nil && !ack.Duplicate && ack.Sequence > 2
	})
	before := len(b.stored(stream.Rejects))
	b.start(b.cfg)
	b.eventually("acknowledged", func() bool { return b.unacknowledged() == 0 })
	if after := len(b.stored(stream.Rejects)); after != before {
		t.Errorf("%d rejects after the redelivery, %d before", after, before)
	}
}
