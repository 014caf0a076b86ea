package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/bridge"
	"github.com/tickstock/tickstream/cmd/tickstream/doctor"
	"github.com/tickstock/tickstream/cmd/tickstream/feed"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/tickstock/tickstream/pipeline/worker"
)

// system is a whole tickstream whose parts can be stopped one by one.
type system struct {
	*testServers
	t     *testing.T
	parts map[string]func()
}

func startSystem(t *testing.T, parts ...string) *system {
	t.Helper()
	s := &system{testServers: startTestServers(t), t: t, parts: map[string]func(){}}
	bucket := func(ctx context.Context) (jetstream.KeyValue, error) {
		return s.js.KeyValue(ctx, stream.ComponentsBucket)
	}
	announce := func(role string, detail func(*presence.Report)) func(context.Context) error {
		return presence.NewAnnouncer(bucket, func() presence.Report {
			r := s.report(role)
			detail(&r)
			return r
		}, quiet).Run
	}
	ingress, err := bridge.NewIngress(bridge.Config{Instance: "one", Channel: s.redis.Channels.Ticks}, s.redis.Client(), s.js, stream.Config{}, nil, quiet)
	if err != nil {
		t.Fatalf("make the bridge: %v", err)
	}
	work, err := worker.New(worker.Config{Instance: "pipeline-one"}, s.js, quiet)
	if err != nil {
		t.Fatalf("make the pipeline: %v", err)
	}
	ticks, err := feed.New(feed.Config{Symbols: []string{"AAPL", "MSFT"}, Rate: 50, Channel: s.redis.Channels.Ticks}, s.redis.Client(), quiet)
	if err != nil {
		t.Fatalf("make the feed: %v", err)
	}
	all := map[string][]func(context.Context) error{
		"bridge":   {ingress.Run, announce(presence.RoleBridge, func(r *presence.Report) { r.Bridge = ingress.Report() })},
		"pipeline": {func(ctx context.Context) error { return work.Run(ctx, stream.DefaultPartitions) }, announce(presence.RolePipeline, func(r *presence.Report) { r.Pipeline = work.Report() })},
		"health":   {s.health, announce(presence.RoleHealth, func(*presence.Report) {})},
		"feed":     {ticks.Run},
		"appv2": {func(ctx context.Context) error {
			pubsub := s.redis.Client().Subscribe(ctx, s.redis.Channels.Health)
			<-ctx.Done()
			return pubsub.Close()
		}},
	}
	for _, name := range parts {
		s.start(name, all[name])
	}
	for _, role := range parts {
		if slices.Contains([]string{"bridge", "pipeline", "health"}, role) {
			testbed.Eventually(t, 10*time.Second, role+" has reported", func(ctx context.Context) bool { return s.has(ctx, role) })
		}
	}
	return s
}

// start runs the functions of a part until it is stopped.
func (s *system) start(name string, functions []func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for _, f := range functions {
		group.Go(func() { // ends when the part is stopped
			if err := f(ctx); err != nil {
				s.t.Errorf("%s: %v", name, err)
			}
		})
	}
	stop := sync.OnceFunc(func() { cancel(); group.Wait() })
	s.parts[name] = stop
	s.t.Cleanup(stop)
}

func (s *system) report(role string) presence.Report {
	return presence.Report{Role: role, Instance: "one", Host: "testhost", PID: 42, StartedAt: time.Now().UTC()}
}

func (s *system) has(ctx context.Context, role string) bool {
	bucket, err := s.js.KeyValue(ctx, stream.ComponentsBucket)
	if err != nil {
		return false
	}
	reports, err := presence.List(ctx, bucket)
	return err == nil && slices.ContainsFunc(reports, func(r presence.Report) bool {
		return r.Role == role && (r.Bridge == nil || r.Bridge.Subscribed)
	})
}

// kill leaves the last report of a role behind, as a killed process does, and
// waits until that is old.
func (s *system) kill(role string) {
	s.t.Helper()
	s.parts[role]()
	bucket, err := s.js.KeyValue(s.t.Context(), stream.ComponentsBucket)
	if err != nil {
		s.t.Fatal(err)
	}
	r := s.report(role)
	r.ReportedAt = time.Now().UTC()
	if _, err := bucket.Put(s.t.Context(), role+".one", encode(s.t, r)); err != nil {
		s.t.Fatal(err)
	}
	testbed.Eventually(s.t, 20*time.Second, "the report is old", func(context.Context) bool { return time.Since(r.ReportedAt) > 5500*time.Millisecond })
}

// health publishes as the real one does, every half second.
func (s *system) health(ctx context.Context) error {
	client, ticker := s.redis.Client(), time.NewTicker(500*time.Millisecond)
	defer ticker.Stop()
	for {
		h := healthEvent(event.StatusHealthy)
		payload, err := json.Marshal(h)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		if _, err := s.js.Publish(ctx, stream.HealthStatus, payload); err != nil && ctx.Err() == nil {
			return fmt.Errorf("publish: %w", err)
		}
		now := strconv.FormatFloat(float64(time.Now().UnixMilli())/1000, 'f', 3, 64)
		client.Publish(ctx, s.redis.Channels.Health, payload)
		client.Set(ctx, s.redis.Channels.HeartbeatKey, now, time.Minute)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (s *system) stopAll() {
	for _, stop := range s.parts {
		stop()
	}
}

// examine runs doctor and returns the exit code and the checks by their id.
func (s *system) examine(args ...string) (int, map[string]doctor.Check) {
	s.t.Helper()
	return s.examineAt(s.nats.URL(), args...)
}

// examineAt is examine with NATS at that URL, which may be away.
func (s *system) examineAt(url string, args ...string) (int, map[string]doctor.Check) {
	s.t.Helper()
	code, stdout, stderr := tickstream(s.t, append([]string{"doctor", "--json", "--health-interval", "1s", "--nats", url, "--redis", s.redis.URL, "--redis-namespace", s.namespace()}, args...)...)
	var report struct {
		OK     bool
		Checks []doctor.Check
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		s.t.Fatalf("exit code %d, %v: %s, standard error: %s", code, err, stdout, stderr)
	}
	if report.OK != (code == exitOK) {
		s.t.Errorf("exit code %d, but ok is %v", code, report.OK)
	}
	checks := map[string]doctor.Check{}
	for _, c := range report.Checks {
		checks[c.ID] = c
	}
	return code, checks
}

func broken(checks map[string]doctor.Check) []string {
	var ids []string
	for id, c := range checks {
		if c.State == doctor.Failed {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestDoctorOnAHealthySystem(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "bridge", "pipeline", "health", "feed", "appv2")
	code, checks := s.examine("--strict")
	for id, c := range checks {
		if c.State != doctor.OK {
			t.Errorf("%s: %+v", id, c)
		}
	}
	if code != exitOK || len(checks) != 19 {
		t.Errorf("exit code %d, %d checks", code, len(checks))
	}
}

// One fault gives one line, and the lines that follow from it say so.
func TestDoctorNamesTheOneCause(t *testing.T) {
	t.Parallel()
	all := []string{"bridge", "pipeline", "health", "feed", "appv2"}
	for name, c := range map[string]struct {
		spoil func(*system)
		want  string
		says  string
	}{
		"health killed":    {func(s *system) { s.kill("health") }, "health", "health has stopped publishing: it"},
		"health stopped":   {func(s *system) { s.parts["health"]() }, "health", "not running"},
		"bridge killed":    {func(s *system) { s.kill("bridge") }, "bridge", "start it (tickstream bridge"},
		"pipeline stopped": {func(s *system) { s.parts["pipeline"]() }, "pipeline", "not running"},
		"NATS away":        {func(s *system) { s.stopAll(); s.nats.Stop() }, "nats", "no servers available"},
		"bridge elsewhere": {func(s *system) {
			s.parts["bridge"]()
			s.start("bridge", []func(context.Context) error{presence.NewAnnouncer(
				func(ctx context.Context) (jetstream.KeyValue, error) {
					return s.js.KeyValue(ctx, stream.ComponentsBucket)
				},
				func() presence.Report {
					r := s.report("bridge")
					r.Bridge = &presence.Bridge{Source: s.redis.Channels.Ticks, Subscribed: true}
					return r
				}, quiet).Run})
			testbed.Eventually(s.t, 10*time.Second, "the bridge has reported", func(ctx context.Context) bool { return s.has(ctx, "bridge") })
		}, "subscribed", "reads another Redis"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSystem(t, all...)
			url := s.nats.URL()
			c.spoil(s)
			code, checks := s.examineAt(url)
			if got := broken(checks); code != exitUnwell || !slices.Equal(got, []string{c.want}) {
				t.Errorf("exit code %d, broken are %q, want %s", code, got, c.want)
			}
			if check := checks[c.want]; !strings.Contains(check.Detail+check.Mend, c.says) || check.Mend == "" {
				t.Errorf("it says %+v, want %q", check, c.says)
			}
		})
	}
}

func TestDoctorWhereNothingRuns(t *testing.T) {
	t.Parallel()
	s := &system{testServers: &testServers{nats: testbed.StartNATS(t), redis: testbed.StartRedis(t)}, t: t}
	if code, checks := s.examine(); code != exitUnwell || !slices.Equal(broken(checks), []string{"streams"}) ||
		!strings.Contains(checks["streams"].Detail, "stream TICKS is missing") {
		t.Errorf("servers only: exit code %d, broken are %q: %+v", code, broken(checks), checks["streams"])
	}
	url := s.nats.URL()
	s.nats.Stop()
	s.redis.URL = "redis://127.0.0.1:1"
	if code, checks := s.examineAt(url); code != exitUnwell || !slices.Equal(broken(checks), []string{"nats", "redis"}) {
		t.Errorf("nothing: exit code %d, broken are %q", code, broken(checks))
	}
}

// Silence is a fault only where ticks are to be expected.
func TestDoctorWithoutTicks(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "bridge", "pipeline", "appv2")
	bucket, err := s.js.KeyValue(t.Context(), stream.ComponentsBucket)
	if err != nil {
		t.Fatal(err)
	}
	r := s.report("health")
	r.ReportedAt = time.Now().UTC()
	if _, err := bucket.Put(t.Context(), "health.one", encode(t, r)); err != nil {
		t.Fatal(err)
	}
	_, checks := s.examine()
	if c := checks["feed"]; c.State != doctor.Warning || !strings.Contains(c.Detail, "no session is active") {
		t.Errorf("without a session: %+v", c)
	}
	if c := checks["tick_age"]; c.State != doctor.Skipped {
		t.Errorf("newest tick: %+v", c)
	}
	s.publish(t, stream.SessionStarted, event.NewSessionStarted(someSession(), eventTime))
	s.publish(t, stream.HealthStatus, healthEvent(event.StatusError, "no ticks for 60 s"))
	_, checks = s.examine()
	if c := checks["feed"]; c.State != doctor.Failed || !strings.Contains(c.Detail, "the producer does not publish") {
		t.Errorf("with a session: %+v", c)
	}
}

func TestDoctorPrintsForPeople(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "bridge", "pipeline", "health", "feed")
	code, stdout, _ := tickstream(t, s.with("doctor", "--health-interval", "1s")...)
	for _, want := range []string{"✓ NATS reachable", "✓ bridge subscribed", "! AppV2 listens", "→ start AppV2", "nothing is broken"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, want %q in\n%s", code, want, stdout)
		}
	}
	if code, _, _ := tickstream(t, s.with("doctor", "--health-interval", "1s", "--strict")...); code != exitUnwell {
		t.Errorf("strict: exit code %d", code)
	}
	s.kill("health")
	code, stdout, _ = tickstream(t, s.with("doctor", "--health-interval", "1s")...)
	if code != exitUnwell || strings.Count(stdout, "✗") != 1 || !strings.Contains(stdout, "broken: health running\n") || !strings.Contains(stdout, "– health on Redis") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

// The driver has a line for each address it tried.
func TestDoctorSaysInOneLineWhyTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	_, checks := s.examine("--database", "postgres://nobody@127.0.0.1:1/none")
	said := checks["database"].Detail
	if !strings.Contains(said, "connection refused") || strings.ContainsAny(said, "\n\t") {
		t.Errorf("it says %q", said)
	}
}

func TestDoctorOfOneRole(t *testing.T) {
	t.Parallel()
	s := startSystem(t, "bridge", "health", "feed")
	role := func(args ...string) (int, string) {
		t.Helper()
		started := time.Now()
		code, stdout, _ := tickstream(t, append([]string{"doctor", "--nats", s.nats.URL(), "--health-interval", "1s", "--role"}, args...)...)
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("%v: took %v", args, took)
		}
		return code, stdout
	}
	for _, name := range []string{"bridge", "health"} {
		if code, stdout := role(name); code != exitOK {
			t.Errorf("%s: exit code %d\n%s", name, code, stdout)
		}
	}
	if code, stdout := role("pipeline"); code != exitUnwell || !strings.Contains(stdout, "no pipeline reports itself") {
		t.Errorf("pipeline: exit code %d\n%s", code, stdout)
	}
	if code, stdout := role("bridge", "--here"); code != exitUnwell {
		t.Errorf("of another host: exit code %d\n%s", code, stdout)
	}
	s.kill("bridge")
	if code, stdout := role("bridge"); code != exitUnwell || !strings.Contains(stdout, "died or hangs") {
		t.Errorf("killed: exit code %d\n%s", code, stdout)
	}
	url := s.nats.URL()
	s.stopAll()
	s.nats.Stop()
	code, stdout, _ := tickstream(t, "doctor", "--nats", url, "--role", "health")
	if code != exitUnwell || !strings.Contains(stdout, "✗ NATS reachable") || strings.Count(stdout, "✗") != 1 {
		t.Errorf("without NATS: exit code %d\n%s", code, stdout)
	}
}
