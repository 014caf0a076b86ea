package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func lines(s string) []string {
	return slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(s) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	})
}

func TestReplayToStandardOutput(t *testing.T) {
	s := startTestServers(t)
	payloads := s.store(t, 50)
	for args, want := range map[string][]string{
		"":                               payloads,
		"--from-seq 11 --to-seq 20":      payloads[10:20],
		"--from -1h --to now":            payloads,
		"--speed max --quiet":            payloads,
		"--speed 1000000":                payloads,
		"--to-seq 1 --symbol AAPL":       payloads[:1],
		"--to-seq 2 --symbol BRK.B":      payloads[1:2],
		"--to-seq 2 --symbol BRK.B,AAPL": payloads[:2],
		"--symbol AAPL --symbol BRK.B":   payloads,
	} {
		code, stdout, stderr := tickstream(t, append([]string{"replay", "--nats", s.nats.URL()}, strings.Fields(args)...)...)
		if code != exitOK || !slices.Equal(lines(stdout), want) {
			t.Errorf("%s: exit code %d, %d lines, want %d; standard error: %s", args, code, len(lines(stdout)), len(want), stderr)
		}
		if !strings.Contains(stderr, fmt.Sprintf("replayed %d ticks", len(want))) {
			t.Errorf("%s: standard error: %s", args, stderr)
		}
	}
}

func TestReplayToRedis(t *testing.T) {
	s := startTestServers(t)
	stored := s.store(t, 1200) // more than two batches
	payloads := listen(t, s.redis, "again")
	code, stdout, stderr := tickstream(t, s.with("replay", "--to-redis", "again")...)
	if code != exitOK || stdout != "" {
		t.Errorf("exit code %d, standard output %q, standard error: %s", code, stdout, stderr)
	}
	if got := take(t, payloads, len(stored)); !slices.Equal(got, stored) {
		t.Error("the ticks differ or are out of order")
	}
}

func TestReplayRefusesTheLiveChannel(t *testing.T) {
	s := startTestServers(t)
	stored := s.store(t, 3)
	for _, channel := range []string{s.redis.Channels.Ticks, s.redis.Channels.RawTicks} {
		if code, _, stderr := tickstream(t, s.with("replay", "--to-redis", channel)...); code != exitOK {
			t.Errorf("nobody listens: exit code %d, standard error: %s", code, stderr)
		}
		payloads := listen(t, s.redis, channel)
		code, _, stderr := tickstream(t, s.with("replay", "--to-redis", channel)...)
		if code != exitUsage || !strings.Contains(stderr, "the live channel "+channel+" with 1 subscribed") || !strings.Contains(stderr, "--force-appv2-channel") {
			t.Errorf("exit code %d, standard error: %s", code, stderr)
		}
		if len(payloads) > 0 {
			t.Error("ticks were published all the same")
		}
		if code, _, stderr := tickstream(t, s.with("replay", "--force-appv2-channel", "--to-redis", channel)...); code != exitOK {
			t.Errorf("forced: exit code %d, standard error: %s", code, stderr)
		}
		if got := take(t, payloads, 3); !slices.Equal(got, stored) {
			t.Errorf("got %q", got)
		}
	}
}

// What AppV2 reads as something else is refused without asking a server.
func TestReplayRefusesAppV2sChannels(t *testing.T) {
	s := startTestServers(t)
	stored := s.store(t, 2)
	c := s.redis.Channels
	for _, channel := range []string{
		c.Health, c.SessionStarted, c.AlertsCritical, c.Patterns, c.Indicators, c.Errors,
		"tickstock:streaming:health", "tickstock:alerts:new", "tickstock:patterns:x", "tickstock:indicators:y", "tickstock.events.patterns",
	} {
		code, _, stderr := tickstream(t, append(s.with("replay", "--to-redis", channel), "--nats", "nats://127.0.0.1:1")...)
		if code != exitUsage || !strings.Contains(stderr, "--to-redis (TICKSTREAM_REPLAY_TO_REDIS) is "+channel+", where AppV2 expects something other") {
			t.Errorf("%s: exit code %d, standard error: %s", channel, code, stderr)
		}
	}
	payloads := listen(t, s.redis, c.Health)
	if code, _, stderr := tickstream(t, s.with("replay", "--to-redis", c.Health, "--force-appv2-channel")...); code != exitOK {
		t.Errorf("forced: exit code %d, standard error: %s", code, stderr)
	}
	if got := take(t, payloads, 2); !slices.Equal(got, stored) {
		t.Errorf("got %q", got)
	}
}

// Where the bridge of the same system reads, no flag helps: each tick would be
// stored a second time.
func TestReplayRefusesWhereTheBridgeReads(t *testing.T) {
	s := startTestServers(t)
	s.store(t, 3)
	bucket, err := s.js.KeyValue(t.Context(), stream.ComponentsBucket)
	if err != nil {
		t.Fatal(err)
	}
	report := presence.Report{Role: presence.RoleBridge, Instance: "b", Host: "box7", Bridge: &presence.Bridge{Source: "my:own:ticks", Subscribed: true}}
	if _, err := bucket.Put(t.Context(), "bridge.b", encode(t, report)); err != nil {
		t.Fatal(err)
	}
	payloads := listen(t, s.redis, "my:own:ticks")
	for _, force := range [][]string{nil, {"--force-appv2-channel"}} {
		code, _, stderr := tickstream(t, append(s.with("replay", "--to-redis", "my:own:ticks"), force...)...)
		if code != exitUsage || !strings.Contains(stderr, "is my:own:ticks, which the bridge on box7 reads") {
			t.Errorf("%v: exit code %d, standard error: %s", force, code, stderr)
		}
	}
	if len(payloads) > 0 {
		t.Error("ticks were published all the same")
	}
	if code, _, stderr := tickstream(t, s.with("replay", "--to-redis", "another")...); code != exitOK {
		t.Errorf("exit code %d, standard error: %s", code, stderr)
	}
}

// However a range comes to hold nothing, it is said in one way.
func TestReplayOfAnEmptyRange(t *testing.T) {
	s := startTestServers(t)
	for i, args := range []string{
		"", // the stream is empty
		"--from-seq 51", "--from 1h", "--to -1h", "--symbol MSFT",
		"--from-seq 3 --to-seq 2", "--from -1h --to -2h",
	} {
		if i == 1 {
			s.store(t, 50)
		}
		code, stdout, stderr := tickstream(t, append([]string{"replay", "--nats", s.nats.URL()}, strings.Fields(args)...)...)
		if code != exitEmpty || stdout != "" || !strings.HasPrefix(stderr, "tickstream: no tick in that range: ") || len(lines(stderr)) != 1 {
			t.Errorf("%q: exit code %d, standard output %q, standard error: %s", args, code, stdout, stderr)
		}
	}
}

func TestReplayToSubject(t *testing.T) {
	s := startTestServers(t)
	stored := s.store(t, 4)
	nc := s.nats.Connect()
	sub, err := nc.SubscribeSync("again.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := tickstream(t, s.with("replay", "--to-subject", "again.{symbol}")...); code != exitOK {
		t.Fatalf("exit code %d, standard error: %s", code, stderr)
	}
	for i, want := range stored {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil || string(m.Data) != want {
			t.Fatalf("tick %d: %v, %v", i, m, err)
		}
	}
	for subject, want := range map[string]struct {
		code int
		text string
	}{
		"tickstock.ticks.{symbol}": {exitUsage, "stream TICKS stores tickstock.ticks.*"},
		"tickstock.bars.1m.X":      {exitUsage, "stream BARS stores tickstock.bars.*.*"},
		"again.*":                  {exitUsage, "--to-subject (TICKSTREAM_REPLAY_TO_SUBJECT)"},
	} {
		code, _, stderr := tickstream(t, s.with("replay", "--to-subject", subject)...)
		if code != want.code || !strings.Contains(stderr, want.text) {
			t.Errorf("%s: exit code %d, standard error: %s", subject, code, stderr)
		}
	}
	if code, _, stderr := tickstream(t, s.with("replay", "--to-subject", "a", "--to-redis", "b")...); code != exitUsage {
		t.Errorf("two sinks: exit code %d, standard error: %s", code, stderr)
	}
}

// An interrupted replay says where to go on, and the two halves make a whole.
func TestReplayGoesOn(t *testing.T) {
	s := startTestServers(t)
	stored := s.store(t, 30) // a second apart, so the replay would take 29 s
	payloads := listen(t, s.redis, "again")
	run := start(t, "", s.with("replay", "--speed", "10", "--to-redis", "again")...)
	first := take(t, payloads, 5)
	run.stop()
	if code := run.wait(t); code != exitInterrupted {
		t.Errorf("exit code %d, standard error: %s", code, &run.stderr)
	}
	m := regexp.MustCompile(`go on with --from-seq (\d+)`).FindStringSubmatch(run.stderr.String())
	if m == nil {
		t.Fatalf("standard error: %s", &run.stderr)
	}
	code, _, stderr := tickstream(t, s.with("replay", "--to-redis", "again", "--from-seq", m[1])...)
	if code != exitOK {
		t.Errorf("exit code %d, standard error: %s", code, stderr)
	}
	if got := append(first, take(t, payloads, len(stored)-len(first))...); !slices.Equal(got, stored) {
		t.Errorf("both halves make %q", got)
	}
}

func TestReplayWithoutServers(t *testing.T) {
	n := testbed.StartNATS(t)
	code, _, stderr := tickstream(t, "replay", "--nats", n.URL())
	if code != exitFailure || !strings.Contains(stderr, "stream TICKS is not there") {
		t.Errorf("without streams: exit code %d, standard error: %s", code, stderr)
	}
	url := n.URL()
	n.Stop()
	code, _, stderr = tickstream(t, "replay", "--nats", url)
	if code != exitFailure || !strings.Contains(stderr, "start it, or point --nats (NATS_URL) at it") {
		t.Errorf("without NATS: exit code %d, standard error: %s", code, stderr)
	}
}
