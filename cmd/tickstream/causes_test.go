package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/cmd/tickstream/doctor"
	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// namedWithin is how soon doctor and the page say what is wrong, by the intervals
// that everything has by default.
const namedWithin = 10 * time.Second

// scene is a whole tickstream, each role a process of its own, with AppV2 at both
// ends of it and a page open.
type scene struct {
	*testServers
	t        *testing.T
	natsURL  string
	way      *testbed.Proxy // of the bridge to Redis
	health   *child
	pipeline *child
	feed     *command
	appV2    *redis.PubSub
	page     *streamView
}

func openScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, testServers: &testServers{nats: testbed.StartNATS(t), redis: testbed.StartOwnRedis(t)}}
	s.js, s.natsURL = s.nats.JetStream(), s.nats.URL()
	if _, err := stream.Ensure(t.Context(), s.js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	s.appV2 = s.listenAsAppV2(t)
	options, err := redis.ParseURL(s.redis.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.way = testbed.StartProxy(t, options.Addr)
	spawn(t, "bridge", "--nats", s.natsURL, "--redis", "redis://"+s.way.Addr(), "--redis-namespace", s.namespace(), "--spool", t.TempDir())
	s.pipeline = spawn(t, "pipeline", "--nats", s.natsURL)
	address := freeAddress(t)
	s.health = spawn(t, s.with("health", "--http", address, "--session", "always")...)
	s.publish()
	s.page = openStream(t, "http://"+address+"/api/events")
	testbed.Eventually(t, time.Minute, "the page is healthy", func(context.Context) bool {
		v := s.page.look(t)
		return v.Word == "healthy" && v.Active == 60 && len(v.Broken) == 0
	})
	return s
}

// listenAsAppV2 subscribes as AppV2 does at its start.
func (s *testServers) listenAsAppV2(t *testing.T) *redis.PubSub {
	t.Helper()
	c := s.redis.Channels
	appV2 := s.redis.Client().Subscribe(t.Context(), c.Health, c.SessionStarted, c.SessionStopped, c.Patterns)
	for range 4 { // it has them once all are confirmed
		if _, err := appV2.Receive(t.Context()); err != nil {
			t.Fatalf("subscribe as AppV2: %v", err)
		}
	}
	return appV2
}

// publish publishes ticks as AppV2 does.
func (s *scene) publish(args ...string) {
	s.t.Helper()
	s.feed = start(s.t, "", append([]string{"sim", "--redis", s.redis.URL, "--redis-namespace", s.namespace(), "--channel", s.redis.Channels.Ticks}, args...)...)
}

func (s *scene) endRedis() {
	if s.redis.Embedded != nil {
		s.redis.Embedded.Close()
		return
	}
	_ = s.redis.Client().ShutdownNoSave(s.t.Context()).Err() // the server is gone before it answers
}

// doctorSays runs doctor and returns what it says is broken.
func (s *scene) doctorSays() (broken []doctor.Check) {
	s.t.Helper()
	code, stdout, stderr := tickstream(s.t, "doctor", "--json", "--nats", s.natsURL, "--redis", s.redis.URL, "--redis-namespace", s.namespace())
	var report struct{ Checks []doctor.Check }
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		s.t.Fatalf("doctor ends with %d: %v: %s %s", code, err, stdout, stderr)
	}
	for _, c := range report.Checks {
		if c.State == doctor.Failed {
			broken = append(broken, c)
		}
	}
	if (code == exitUnwell) != (len(broken) > 0) {
		s.t.Errorf("doctor ends with %d where %+v is broken", code, broken)
	}
	return broken
}

// pageNames waits until the page names a cause, and says what else it blames.
func (s *scene) pageNames(ctx context.Context, c cause.Cause, hop string) (issue pageIssue, wrong string) {
	for {
		v := s.page.look(s.t)
		if c == cause.HealthDead && v.Word == noWord {
			return pageIssue{}, ""
		}
		issues := s.page.listed()
		if i := slices.IndexFunc(issues, func(i pageIssue) bool { return i.Code == c.Code }); i >= 0 && v.Word != noWord {
			if i > 0 || !slices.Equal(v.Broken, []string{hop}) {
				wrong = fmt.Sprintf("issue %d of %+v, and broken is %q, want %s", i, issues, v.Broken, hop)
			}
			return issues[i], wrong
		}
		select {
		case <-ctx.Done():
			return pageIssue{}, fmt.Sprintf("it says %q and lists %+v", v.Word, issues)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Why does the dashboard say UNKNOWN? Whatever the cause, doctor and the page name
// it, alone, in the same words and in time.
func TestEachCauseIsNamed(t *testing.T) {
	type act func(*scene)
	type row struct {
		cause cause.Cause
		hop   string
		come  act
		leave act // nil for what ends the scene
	}
	for name, rows := range map[string][]row{
		"on the side of Redis": {
			{cause.NoPublisher, "redis", func(s *scene) { s.feed.stop() }, func(s *scene) { s.publish() }},
			{cause.ClockSkew, "redis", func(s *scene) { s.feed.stop(); s.publish("--clock-off", "30s") }, func(s *scene) { s.feed.stop(); s.publish() }},
			{cause.BridgeDeaf, "bridge", func(s *scene) { s.way.Cut() }, func(s *scene) { s.way.Restore() }},
			{cause.RedisDown, "redis", (*scene).endRedis, nil},
		},
		"on the side of NATS": {
			{cause.NobodyListens, "egress", func(s *scene) { _ = s.appV2.Close() }, func(s *scene) { s.appV2 = s.listenAsAppV2(s.t) }},
			{cause.PipelineStalled, "pipeline", func(s *scene) { s.pipeline.signal(syscall.SIGSTOP) }, func(s *scene) { s.pipeline.signal(syscall.SIGCONT) }},
			{cause.NATSDown, "ticks", func(s *scene) { s.nats.Stop() }, func(s *scene) { s.nats.Start() }},
			{cause.HealthDead, "health", func(s *scene) { s.health.kill() }, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openScene(t)
			if broken := s.doctorSays(); len(broken) > 0 {
				t.Fatalf("while all is well doctor says %+v", broken)
			}
			for _, r := range rows {
				began := time.Now()
				r.come(s)
				ctx, cancel := context.WithDeadline(t.Context(), began.Add(namedWithin))
				type said struct {
					issue pageIssue
					wrong string
					after time.Duration
				}
				page := make(chan said, 1)
				go func() { // ends with ctx
					issue, wrong := s.pageNames(ctx, r.cause, r.hop)
					page <- said{issue, wrong, time.Since(began)}
				}()
				var found []doctor.Check
				for len(found) == 0 && ctx.Err() == nil {
					found = s.doctorSays()
				}
				doctorTook := time.Since(began)
				seen := <-page
				cancel()

				t.Logf("%s: the page after %.1f s: %s; doctor after %.1f s: %+v", r.cause.Code, seen.after.Seconds(), seen.issue.Sentence, doctorTook.Seconds(), found)
				if seen.wrong != "" {
					t.Errorf("%s: the page is wrong after %v: %s", r.cause.Code, seen.after, seen.wrong)
				}
				if r.cause != cause.HealthDead && (!strings.HasPrefix(seen.issue.Sentence, r.cause.Says) || seen.issue.Mend != r.cause.Mend || seen.issue.Hop != r.hop) {
					t.Errorf("%s: the page says %+v", r.cause.Code, seen.issue)
				}
				if len(found) != 1 || found[0].Code != r.cause.Code || !strings.HasPrefix(found[0].Detail, r.cause.Says) || found[0].Mend != r.cause.Mend {
					t.Errorf("%s: doctor says %+v", r.cause.Code, found)
				}
				if doctorTook > namedWithin {
					t.Errorf("%s: doctor says so after %v", r.cause.Code, doctorTook)
				}
				if r.leave == nil {
					continue
				}
				r.leave(s)
				testbed.Eventually(t, time.Minute, "the page does not name "+r.cause.Code+" any more", func(context.Context) bool {
					return !slices.ContainsFunc(s.page.listed(), func(i pageIssue) bool { return i.Code == r.cause.Code || i.Severity == "error" })
				})
			}
		})
	}
}
