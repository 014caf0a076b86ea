package replay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/replay"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func publish(t *testing.T, nc *nats.Conn, js jetstream.JetStream, subject string) *replay.Publisher {
	t.Helper()
	p, err := replay.NewPublisher(t.Context(), nc, replay.PublisherConfig{Subject: subject})
	if err != nil {
		t.Fatalf("new publisher: %v", err)
	}
	r, err := replay.New(replay.Config{}, js, p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatalf("run: %v", err)
	}
	return p
}

func TestPublisherReachesSubscribers(t *testing.T) {
	n := testbed.StartNATS(t)
	js, nc := n.JetStream(), n.Connect()
	payloads := ticksOf(t, js, 500)
	listener := n.Connect()
	sub, err := listener.SubscribeSync("again.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
	if err := listener.Flush(); err != nil { // the server knows the subscription then
		t.Fatal(err)
	}
	if p := publish(t, nc, js, "again.{symbol}.x"); p.Stream() != "" {
		t.Errorf("stream is %s", p.Stream())
	}
	for i, want := range payloads {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("tick %d: %v", i, err)
		}
		if string(m.Data) != want {
			t.Fatalf("tick %d is %s, want %s", i, m.Data, want)
		}
		if i == 1 && m.Subject != "again.BRK=2EB.x" {
			t.Errorf("subject is %s", m.Subject)
		}
	}
}

func TestPublisherStoresInAStream(t *testing.T) {
	n := testbed.StartNATS(t)
	js, nc := n.JetStream(), n.Connect()
	payloads := ticksOf(t, js, 11_000) // more than one flush
	again, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "AGAIN", Subjects: []string{"again.*"}})
	if err != nil {
		t.Fatal(err)
	}
	for run := 1; run <= 2; run++ {
		if p := publish(t, nc, js, "again.{symbol}"); p.Stream() != "AGAIN" {
			t.Errorf("stream is %q", p.Stream())
		}
		info, err := again.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(run * len(payloads)); info.State.Msgs != want {
			t.Fatalf("run %d: %d messages are stored, want %d", run, info.State.Msgs, want)
		}
	}
	var got []string
	for seq := range uint64(100) {
		m, err := again.GetMsg(t.Context(), seq+1)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(m.Data))
	}
	if !slices.Equal(got, payloads[:100]) {
		t.Error("stored ticks differ or are out of order")
	}
}

func TestPublisherSeesARefusal(t *testing.T) {
	n := testbed.StartNATS(t)
	js, nc := n.JetStream(), n.Connect()
	ticksOf(t, js, 10)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SMALL", Subjects: []string{"small"}, MaxMsgs: 3, Discard: jetstream.DiscardNew}); err != nil {
		t.Fatal(err)
	}
	p, err := replay.NewPublisher(t.Context(), nc, replay.PublisherConfig{Subject: "small"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := replay.New(replay.Config{}, js, p, quiet)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(t.Context())
	if _, refused := errors.AsType[*jetstream.APIError](err); !refused {
		t.Errorf("error is %v, want the server's", err)
	}
	if progress := r.Progress(); progress.Done || progress.Next != 1 {
		t.Errorf("progress is %+v", progress)
	}
}

// A tick that a stream of tickstream stored again would be counted twice, or
// would be no bar, signal, health event or reject at all.
func TestPublisherRefusesTickstreamsOwnSubjects(t *testing.T) {
	n := testbed.StartNATS(t)
	nc, js := n.Connect(), n.JetStream()
	for subject, name := range map[string]string{
		"tickstock.ticks.{symbol}":         stream.Ticks,
		"tickstock.clock.0.mark":           stream.Ticks,
		"tickstock.bars.1min.{symbol}":     stream.Bars,
		"tickstock.signals.{symbol}.x.y":   stream.Signals,
		"tickstock.health.alert":           stream.Health,
		"tickstock.{symbol}.started":       stream.Ticks, // the first of two
		"tickstock.rejects.not_json":       stream.Rejects,
		"{symbol}.rejects.x-{symbol}":      stream.Rejects,
		"tickstock.control.session.start":  "requests to tickstream",
		"tickstock.control.{symbol}.start": "requests to tickstream",
	} {
		_, err := replay.NewPublisher(t.Context(), nc, replay.PublisherConfig{Subject: subject})
		if !errors.Is(err, stream.ErrOwned) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error is %v, want one with %s", subject, err, name)
		}
	}
	// An operator may have given one of them more than tickstream does.
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream.Bars, Subjects: []string{"mine.>"}}); err != nil {
		t.Fatal(err)
	}
	_, err := replay.NewPublisher(t.Context(), nc, replay.PublisherConfig{Subject: "mine.{symbol}"})
	if !errors.Is(err, stream.ErrOwned) || !strings.Contains(err.Error(), stream.Bars) {
		t.Errorf("error is %v", err)
	}
}

// A stream that never acknowledges is what a lost acknowledgement looks like.
func TestPublisherEndsWithoutAcknowledgement(t *testing.T) {
	n := testbed.StartNATS(t)
	js, nc := n.JetStream(), n.Connect()
	for _, ticks := range []int{10, 6000} { // awaited by the flush, and by the limit of pending ones
		ticksOf(t, js, ticks)
		if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "MUTE", Subjects: []string{"mute.*"}, NoAck: true}); err != nil {
			t.Fatal(err)
		}
		p, err := replay.NewPublisher(t.Context(), nc, replay.PublisherConfig{Subject: "mute.{symbol}", AckTimeout: 200 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		r, err := replay.New(replay.Config{}, js, p, quiet)
		if err != nil {
			t.Fatal(err)
		}
		err = r.Run(t.Context())
		if !errors.Is(err, replay.ErrUnacknowledged) || !strings.Contains(err.Error(), "by stream MUTE within 200ms") {
			t.Errorf("%d ticks: error is %v", ticks, err)
		}
		if progress := r.Progress(); progress.Done || progress.Next != 1 {
			t.Errorf("%d ticks: progress is %+v", ticks, progress)
		}
	}
}

func TestPublisherRefusesWhatIsNoSubject(t *testing.T) {
	nc := testbed.StartNATS(t).Connect()
	for _, subject := range []string{"", "a.*", "a.>", "a b", "a..b", ".a", "a.", "a.{other}", "$JS.API.INFO", "a\nb"} {
		if _, err := replay.NewPublisher(t.Context(), nc, replay.PublisherConfig{Subject: subject}); !errors.Is(err, replay.ErrSubject) {
			t.Errorf("%q: error is %v", subject, err)
		}
	}
}
