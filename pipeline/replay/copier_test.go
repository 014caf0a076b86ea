package replay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// stored is what TICKS holds, in order.
func stored(t *testing.T, js jetstream.JetStream) []string {
	t.Helper()
	ticks, err := js.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(t.Context(), stream.Ticks, jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	all := make([]string, ticks.CachedInfo().State.Msgs)
	for i := range all {
		msg, err := messages.Next(jetstream.NextMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		all[i] = msg.Subject() + " " + string(msg.Data())
	}
	return all
}

func copier(t *testing.T, source, target jetstream.JetStream, cfg replay.CopierConfig) *replay.Copier {
	t.Helper()
	cfg.AckTimeout = 2 * time.Second
	c, err := replay.NewCopier(t.Context(), cfg, source, target, quiet)
	if err != nil {
		t.Fatalf("make a copier: %v", err)
	}
	return c
}

// feed gives a copier n ticks as if they were the first of the source.
func feed(t *testing.T, c *replay.Copier, n int) error {
	t.Helper()
	for i := range n {
		if err := c.Write(t.Context(), replay.Message{Sequence: uint64(i + 1), Symbol: "AAPL", Payload: fmt.Append(nil, i)}); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return c.Flush(t.Context()) //nolint:wrapcheck // the caller wants it as it is
}

// After a lost acknowledgement the target holds what the copier takes for
// pending: all of it, some, or none.
func TestCopierFindsWhatWasStored(t *testing.T) {
	source := testbed.StartNATS(t).JetStream()
	ticksOf(t, source, 0)
	for _, c := range []struct{ there, sent int }{{10, 10}, {1, 1}, {4, 10}, {1, 10}, {9, 10}, {1000, 2500}, {999, 2500}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			target := testbed.StartNATS(t).JetStream()
			first, second := copier(t, source, target, replay.CopierConfig{}), copier(t, source, target, replay.CopierConfig{})
			for i, err := range []error{feed(t, first, c.there), feed(t, second, c.sent)} {
				if err != nil {
					t.Fatalf("copier %d: %v", i, err)
				}
			}
			got := stored(t, target)
			for i := range got {
				if !strings.HasSuffix(got[i], fmt.Sprintf(".AAPL %d", i)) {
					t.Fatalf("message %d is %s", i, got[i])
				}
			}
			if len(got) != c.sent {
				t.Errorf("%d messages, want %d", len(got), c.sent)
			}
		})
	}
}

func TestCopierNoticesOthers(t *testing.T) {
	source := testbed.StartNATS(t).JetStream()
	ticksOf(t, source, 0)
	for _, n := range []int{1, 10} { // alone, and as a batch
		target := testbed.StartNATS(t).JetStream()
		c := copier(t, source, target, replay.CopierConfig{})
		if _, err := target.Publish(t.Context(), stream.ClockSubject(0), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := feed(t, c, n); !errors.Is(err, replay.ErrOtherWriter) {
			t.Errorf("%d ticks behind a bridge's mark: %v", n, err)
		}
		ticks, err := target.Stream(t.Context(), stream.Ticks)
		if err != nil {
			t.Fatal(err)
		}
		if msgs := ticks.CachedInfo().State.Msgs; msgs != 1 {
			t.Errorf("%d messages, want the mark only", msgs)
		}
		if err := ticks.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time within the duplicate window
			err = feed(t, copier(t, source, target, replay.CopierConfig{}), n)
			if err := ticks.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !errors.Is(err, replay.ErrRemembered) {
			t.Errorf("%d ticks that the server remembers: %v", n, err)
		}
	}
}

// A target that fails again and again gets everything once and in order.
func TestCopyThroughOutages(t *testing.T) {
	source := testbed.StartNATS(t)
	ticksOf(t, source.JetStream(), 20000)
	target := testbed.StartNATS(t)
	proxy := testbed.StartProxy(t, strings.TrimPrefix(target.URL(), "nats://"))
	nc, err := nats.Connect("nats://"+proxy.Addr(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectBufSize(-1), nats.IgnoreDiscoveredServers())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c := copier(t, source.JetStream(), js, replay.CopierConfig{})
	outages := 0
	sink := &disturbed{Sink: c, every: 2345, disturb: func() {
		switch outages++; outages % 3 {
		case 0:
			target.Stop()
			target.Start()
		default:
			go func() { // amid the next batches; ends at once
				proxy.Cut()
				proxy.Restore()
			}()
		}
	}}
	r, err := replay.New(replay.Config{ClockMarks: true}, source.JetStream(), sink, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatalf("Run = %v", err)
	}
	if got, want := stored(t, target.JetStream()), stored(t, source.JetStream()); !slices.Equal(got, want) {
		t.Errorf("%d messages, want %d in the same order", len(got), len(want))
	}
	if outages < 8 {
		t.Errorf("%d outages", outages)
	}
}

// disturbed calls disturb before each so many messages.
type disturbed struct {
	replay.Sink
	every, written int
	disturb        func()
}

func (d *disturbed) Write(ctx context.Context, m replay.Message) error {
	if d.written++; d.written%d.every == 0 {
		d.disturb()
	}
	return d.Sink.Write(ctx, m) //nolint:wrapcheck // as the real one
}

// Each partition of a target with another count is as complete as the least of
// the source's, and no further.
func TestCopierSpreadsTheLeastMark(t *testing.T) {
	source := testbed.StartNATS(t).JetStream()
	ticksOf(t, source, 0) // 4 partitions
	target := testbed.StartNATS(t).JetStream()
	c := copier(t, source, target, replay.CopierConfig{Partitions: 2})
	second := func(s int) []byte {
		data, err := event.NewClockMark(opening.Add(time.Duration(s) * time.Second)).Time.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Appendf(nil, `{"type":"clock_mark","time":%q}`, data)
	}
	for i, m := range []struct{ partition, second int }{
		{0, 10}, {1, 12}, {2, 11}, // nothing of partition 3 yet
		{3, 5},          // 5
		{3, 9},          // 9
		{0, 20},         // still 9
		{3, 30},         // 11
		{1, 30}, {2, 4}, // a mark never goes back
		{7, 99}, // no such partition
		{2, 40}, // 20
	} {
		if err := c.Write(t.Context(), replay.Message{Sequence: uint64(i + 1), Mark: true, Partition: m.partition, Payload: second(m.second)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, s := range []int{5, 9, 11, 20} {
		want = append(want, stream.ClockSubject(0)+" "+string(second(s)), stream.ClockSubject(1)+" "+string(second(s)))
	}
	if got := stored(t, target); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
