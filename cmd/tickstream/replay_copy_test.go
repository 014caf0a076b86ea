package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/testbed/oracle"
	"github.com/tickstock/tickstream/pipeline/worker"
)

// work runs a worker until all partitions are worked through.
func work(t *testing.T, js jetstream.JetStream, partitions int) {
	t.Helper()
	w, err := worker.New(worker.Config{Instance: "w", CheckpointInterval: 200 * time.Millisecond}, js, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, partitions) }() // received below
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("worker: %v", err)
		}
	}()
	testbed.Eventually(t, 60*time.Second, "all partitions are worked through", func(ctx context.Context) bool {
		for p := range partitions {
			c, err := js.Consumer(ctx, stream.Ticks, "pipeline_"+strconv.Itoa(p))
			if err != nil {
				return false
			}
			if info := c.CachedInfo(); info.NumPending > 0 || info.NumAckPending > 0 || info.Delivered.Consumer == 0 && info.NumWaiting == 0 {
				return false
			}
		}
		return true
	})
}

// results are the last revisions of a stream's bars or signals, without what
// tells of the run. One that was withdrawn is as good as never published.
func results(t *testing.T, js jetstream.JetStream, name, filter string) map[string]string {
	t.Helper()
	found := map[string]string{}
	everything(t, js, name, filter, func(subject string, _ uint64, data []byte) {
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(subject, fields["timeframe"], fields["start"])
		if fields["withdrawn"] == true {
			delete(found, key)
			return
		}
		for _, ofRun := range []string{"session_id", "sequence", "first_sequence", "last_sequence", "revision"} {
			delete(fields, ofRun)
		}
		found[key] = string(encode(t, fields))
	})
	return found
}

func sameResults(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	wrong := 0
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			if wrong++; wrong <= 5 {
				t.Errorf("%s %s is\n%s, want\n%s", what, key, got[key], want[key])
			}
		}
	}
	if wrong > 0 || len(got) != len(want) {
		t.Errorf("%d of %d %s are wrong, there are %d", wrong, len(want), what, len(got))
	}
}

// recorded is a system with a day in TICKS.
func recorded(t *testing.T, n int) *testbed.NATS {
	t.Helper()
	server := testbed.StartNATS(t)
	js := server.JetStream()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: crashPartitions}, quiet); err != nil {
		t.Fatal(err)
	}
	if err := publishTraffic(t.Context(), js, oracle.Traffic(rand.New(rand.NewPCG(7, 9)), n)); err != nil {
		t.Fatal(err)
	}
	return server
}

// A recorded day in a fresh system gives what it gave in the first, though it is
// long ago.
func TestReplayedDayGivesTheSameBars(t *testing.T) {
	a := recorded(t, 3000)
	work(t, a.JetStream(), crashPartitions)
	bars := results(t, a.JetStream(), stream.Bars, stream.AllBars)
	signals := results(t, a.JetStream(), stream.Signals, stream.SignalsOf("indicator")+" "+stream.SignalsOf("pattern"))
	alerts := results(t, a.JetStream(), stream.Signals, stream.SignalsOf("alert"))
	if len(bars) < 100 || len(signals) < 100 || len(alerts) < 5 {
		t.Fatalf("%d bars, %d signals, %d alerts: the traffic tests too little", len(bars), len(signals), len(alerts))
	}
	for _, partitions := range []int{0, 3} { // 0: as many as in the first
		t.Run(fmt.Sprint(partitions, " partitions"), func(t *testing.T) {
			b := testbed.StartNATS(t)
			code, stdout, stderr := tickstream(t, "replay", "--speed", "max", "--nats", a.URL(), "--to-nats", b.URL(), "--to-partitions", strconv.Itoa(partitions))
			if code != exitOK || stdout != "" {
				t.Fatalf("exit code %d, standard output %q, standard error: %s", code, stdout, stderr)
			}
			js := b.JetStream()
			if partitions == 0 {
				partitions = crashPartitions
				if got, want := allOf(t, js), allOf(t, a.JetStream()); !slices.Equal(got, want) {
					t.Error("TICKS differs")
				}
			}
			work(t, js, partitions)
			sameResults(t, "bars", results(t, js, stream.Bars, stream.AllBars), bars)
			sameResults(t, "signals", results(t, js, stream.Signals, stream.SignalsOf("indicator")+" "+stream.SignalsOf("pattern")), signals)
			if partitions == crashPartitions { // what a bar looked like when it closed first depends on its neighbours
				sameResults(t, "alerts", results(t, js, stream.Signals, stream.SignalsOf("alert")), alerts)
			}
		})
	}
}

// allOf is everything in TICKS, in order.
func allOf(t *testing.T, js jetstream.JetStream) []string {
	t.Helper()
	var all []string
	everything(t, js, stream.Ticks, stream.AllTicks+" "+stream.AllClockMarks, func(subject string, _ uint64, data []byte) {
		all = append(all, subject+" "+string(data))
	})
	return all
}

// Wherever a copy ended, also within the marks that one became, it goes on there.
func TestReplayCopyGoesOn(t *testing.T) {
	a := recorded(t, 600)
	for _, partitions := range []string{"4", "3"} {
		whole := testbed.StartNATS(t)
		copyTo := func(b *testbed.NATS, args ...string) (int, string) {
			code, _, stderr := tickstream(t, append([]string{"replay", "--nats", a.URL(), "--to-nats", b.URL(), "--to-partitions", partitions}, args...)...)
			return code, stderr
		}
		if code, stderr := copyTo(whole); code != exitOK {
			t.Fatalf("exit code %d, standard error: %s", code, stderr)
		}
		want := allOf(t, whole.JetStream())
		for _, end := range []int{1, 100, len(want) / 2, len(want) - 1, len(want)} {
			b := testbed.StartNATS(t)
			js := b.JetStream()
			prefix(t, whole.JetStream(), js, end)
			if code, stderr := copyTo(b); code != exitUsage || !strings.Contains(stderr, "holds a copy up to sequence") || !strings.Contains(stderr, "--append") {
				t.Errorf("after %d: exit code %d, standard error: %s", end, code, stderr)
			}
			for range 2 {
				if code, stderr := copyTo(b, "--append", "--from", "2000-01-01T00:00:00Z"); code != exitOK {
					t.Errorf("after %d: exit code %d, standard error: %s", end, code, stderr)
				}
			}
			if got := allOf(t, js); !slices.Equal(got, want) {
				t.Errorf("%s partitions, after %d of %d: %d messages, or not the same", partitions, end, len(want), len(got))
			}
		}
	}
}

// prefix gives a fresh system the first n messages of another.
func prefix(t *testing.T, from, to jetstream.JetStream, n int) {
	t.Helper()
	ticks, err := from.Stream(t.Context(), stream.Ticks)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Ensure(t.Context(), to, stream.Config{Partitions: stream.PartitionsOf(ticks.CachedInfo().Config)}, quiet); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= uint64(n); seq++ {
		msg, err := ticks.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		subject := msg.Subject
		if stored, ok := stream.ParseStoredTick(subject); ok {
			subject = stream.TickSubject(stored.Symbol)
		}
		id := nats.Header{nats.MsgIdHdr: msg.Header[nats.MsgIdHdr]}
		if _, err := to.PublishMsg(t.Context(), &nats.Msg{Subject: subject, Data: msg.Data, Header: id}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplayCopyOfARange(t *testing.T) {
	a := startTestServers(t)
	payloads := a.store(t, 20)
	b := testbed.StartNATS(t)
	args := []string{"replay", "--nats", a.nats.URL(), "--to-nats", b.URL()}
	for _, more := range []string{"--from-seq 3 --to-seq 10", "--append --symbol AAPL --speed 1000000"} {
		if code, _, stderr := tickstream(t, append(args, strings.Fields(more)...)...); code != exitOK {
			t.Errorf("%s: exit code %d, standard error: %s", more, code, stderr)
		}
	}
	want := slices.Clone(payloads[2:10])
	for i := 10; i < 20; i += 2 {
		want = append(want, payloads[i])
	}
	got := allOf(t, b.JetStream())
	for i := range got {
		_, got[i], _ = strings.Cut(got[i], " ")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A copy that is stopped says how it goes on, and does.
func TestReplayCopyIsInterrupted(t *testing.T) {
	a := startTestServers(t)
	a.store(t, 30) // a second apart, so the copy would take 29 s
	b := testbed.StartNATS(t)
	args := []string{"replay", "--nats", a.nats.URL(), "--to-nats", b.URL(), "--from", "-1h"}
	run := start(t, "", append(args, "--speed", "10")...)
	js := b.JetStream()
	testbed.Eventually(t, 10*time.Second, "the copy is under way", func(ctx context.Context) bool {
		ticks, err := js.Stream(ctx, stream.Ticks)
		return err == nil && ticks.CachedInfo().State.Msgs >= 3
	})
	run.stop()
	if code := run.wait(t); code != exitInterrupted || !strings.Contains(run.stderr.String(), "go on with the same range and --append") {
		t.Errorf("exit code %d, standard error: %s", code, &run.stderr)
	}
	if n := len(allOf(t, js)); n < 3 || n > 29 {
		t.Errorf("%d messages when interrupted", n)
	}
	for _, says := range []string{"going on at sequence", "nothing to copy: the target holds that range already"} {
		code, _, stderr := tickstream(t, append(args, "--append")...)
		if code != exitOK || !strings.Contains(stderr, says) {
			t.Errorf("exit code %d, standard error: %s, want %q", code, stderr, says)
		}
	}
	if got, want := allOf(t, js), allOf(t, a.js); !slices.Equal(got, want) {
		t.Errorf("%d messages, want %d in the same order", len(got), len(want))
	}
}

func TestReplayCopyRefuses(t *testing.T) {
	a := startTestServers(t)
	a.store(t, 3)
	refused := func(what, url string, args ...string) {
		t.Helper()
		code, _, stderr := tickstream(t, append([]string{"replay", "--nats", a.nats.URL(), "--to-nats", url}, args...)...)
		if code != exitUsage || !strings.Contains(stderr, what) || len(lines(stderr)) != 1 {
			t.Errorf("%s %q: exit code %d, standard error: %s", what, args, code, stderr)
		}
	}
	refused("are the same TICKS", a.nats.URL(), "--append")
	refused("exclude each other", a.nats.URL(), "--to-subject", "x")
	refused("--to-partitions", a.nats.URL(), "--to-partitions", "300")
	refused("--to-nats-creds (TICKSTREAM_REPLAY_TO_NATS_CREDS)", a.nats.URL(), "--to-nats-creds", "/nowhere/x.creds")
	if code, _, stderr := tickstream(t, "replay", "--nats", a.nats.URL(), "--append"); code != exitUsage || !strings.Contains(stderr, "give --to-nats") {
		t.Errorf("--append alone: exit code %d, standard error: %s", code, stderr)
	}
	if code, _, stderr := tickstream(t, "replay", "--nats", a.nats.URL(), "--to-nats", "nats://127.0.0.1:1"); code != exitFailure || !strings.Contains(stderr, "point --to-nats (TICKSTREAM_REPLAY_TO_NATS) at it") {
		t.Errorf("no server: exit code %d, standard error: %s", code, stderr)
	}

	b := testbed.StartNATS(t)
	js := b.JetStream()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{Partitions: 2}, quiet); err != nil {
		t.Fatal(err)
	}
	refused("has 2 partitions, 5 asked", b.URL(), "--to-partitions", "5")
	bucket, err := js.KeyValue(t.Context(), stream.ComponentsBucket)
	if err != nil {
		t.Fatal(err)
	}
	report := presence.Report{Role: presence.RoleBridge, Instance: "b", Host: "box7", PID: 42}
	if _, err := bucket.Put(t.Context(), "bridge.b", encode(t, report)); err != nil {
		t.Fatal(err)
	}
	refused("a bridge runs on the target: process 42 on box7", b.URL(), "--append")
	if err := bucket.Delete(t.Context(), "bridge.b"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), stream.ClockSubject(0), encode(t, event.NewClockMark(time.Now()))); err != nil {
		t.Fatal(err)
	}
	refused("it holds 1 messages", b.URL())
	if n := len(allOf(t, js)); n != 1 {
		t.Errorf("%d messages after all refusals", n)
	}
	if code, _, stderr := tickstream(t, "replay", "--nats", a.nats.URL(), "--to-nats", b.URL(), "--append"); code != exitOK {
		t.Errorf("--append: exit code %d, standard error: %s", code, stderr)
	}
	if n := len(allOf(t, js)); n != 4 {
		t.Errorf("%d messages after --append, want 4", n)
	}
}
