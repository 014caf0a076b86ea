package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"github.com/tickstock/tickstream/cmd/tickstream/doctor"
	"github.com/tickstock/tickstream/health/replays"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// asks sends a request to an endpoint of a service, once somebody answers.
func asks[T any](t *testing.T, nc *nats.Conn, name, endpoint, body string) (T, error) {
	t.Helper()
	var answer T
	var err error
	testbed.Eventually(t, 20*time.Second, name+" "+endpoint+" answers", func(ctx context.Context) bool {
		err = service.Ask(ctx, nc, stream.ControlSubject(name, endpoint), []byte(body), &answer)
		refusal, refused := errors.AsType[*service.Refusal](err)
		return !errors.Is(err, nats.ErrNoResponders) && (!refused || refusal.Code != service.Unavailable)
	})
	return answer, err
}

// refusedWith is the code of a refusal; empty for none.
func refusedWith(err error) string {
	if refusal, ok := errors.AsType[*service.Refusal](err); ok {
		return refusal.Code
	}
	return ""
}

// up is every service there is, and each tells of itself.
func TestRolesOfUpAreServices(t *testing.T) {
	c, js := startUp(t, t.TempDir(), "--sim", "--spool", "off")
	nc := js.Conn()
	for name, has := range map[string]func(presence.Report) bool{
		"bridge": func(r presence.Report) bool {
			return r.Bridge != nil && r.Bridge.Source == "tickstock:market:ticks" && r.Egress == nil
		},
		"egress": func(r presence.Report) bool { return r.Egress != nil && r.Bridge == nil },
		"pipeline": func(r presence.Report) bool {
			return r.Pipeline != nil && r.Store == nil
		},
	} {
		report, err := asks[presence.Report](t, nc, name, "status", "")
		if err != nil || report.Role != name || report.Instance == "" || report.PID == 0 || time.Since(report.ReportedAt) > time.Minute || !has(report) {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
		if _, err := asks[presence.Report](t, nc, name, "status", `{"verbose":true}`); refusedWith(err) != service.BadRequest {
			t.Errorf("%s, asked for more than it takes: %v", name, err)
		}
	}
	status, err := asks[healthStatus](t, nc, "health", "status", "")
	var e event.StreamingHealth
	if err != nil || json.Unmarshal(status.Event, &e) != nil || e.Health.Status == "" || status.Role != "health" || len(status.Leads) != 2 {
		t.Errorf("health: %+v, %v", status, err)
	}

	running, err := asks[session.Record](t, nc, "session", "show", "")
	if err != nil || !running.Active() {
		t.Fatalf("session: %+v, %v", running, err)
	}
	if _, err := asks[session.Record](t, nc, "session", "start", ""); refusedWith(err) != service.Conflict {
		t.Errorf("a second session: %v", err)
	}
	if stopped, err := asks[session.Record](t, nc, "session", "stop", ""); err != nil || stopped.SessionID != running.SessionID || stopped.End == nil {
		t.Errorf("stop: %+v, %v", stopped, err)
	}
	if code, stdout, stderr := tickstream(t, "session", "start", "--nats", nc.ConnectedUrl()); code != exitOK {
		t.Errorf("start by the command: %s%s", stdout, stderr)
	}

	testbed.Eventually(t, 20*time.Second, "a tick is stored", func(context.Context) bool {
		report, err := asks[presence.Report](t, nc, "bridge", "status", "")
		return err == nil && report.Bridge.Stored > 0
	})
	if _, err := asks[replays.State](t, nc, "replay", "start", `{"from":"-1h","channel":"tickstock:market:ticks"}`); refusedWith(err) != service.Unfit {
		t.Errorf("replay to the live channel: %v", err)
	}
	if s, err := asks[replays.State](t, nc, "replay", "start", `{"from":"-1h","channel":"tickstock:replay:ticks"}`); err != nil || s.Phase != "running" {
		t.Errorf("replay: %+v, %v", s, err)
	}
	testbed.Eventually(t, 20*time.Second, "the replay is done", func(context.Context) bool {
		s, err := asks[replays.State](t, nc, "replay", "progress", "")
		return err == nil && s.Phase == "done" && s.Ticks > 0
	})

	want := []string{"bridge", "egress", "health", "pipeline", "replay", "session"}
	inbox := nc.NewRespInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("$SRV.INFO", inbox, nil); err != nil {
		t.Fatal(err)
	}
	var found []string
	for range want {
		msg, err := answers.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatalf("%v after %v", err, found)
		}
		var info micro.Info
		if err := json.Unmarshal(msg.Data, &info); err != nil || info.Description == "" || info.Metadata["process"] != "up" || info.Metadata["instance"] != status.Instance {
			t.Errorf("%s: %v", msg.Data, err)
		}
		found = append(found, info.Name[len("tickstream-"):])
	}
	if slices.Sort(found); !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	sayWhoTheyAre(t, js)
	c.stop()
	if code := c.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

var whose = regexp.MustCompile(`^(?:pipeline_\d|egress_[a-z]+|(?:dashboard|sessions|history|catchup|health|replay)-[a-z0-9]{8}(?:_\d+)?)$`)

// sayWhoTheyAre fails the test for a consumer whose name says nothing in
// `nats consumer report`.
func sayWhoTheyAre(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	found := map[string]int{}
	for _, name := range []string{stream.Ticks, stream.Bars, stream.Signals, stream.Health, stream.Rejects} {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		consumers := s.ListConsumers(t.Context())
		for info := range consumers.Info() {
			if !whose.MatchString(info.Name) {
				t.Errorf("a consumer of %s is called %s", name, info.Name)
			}
			found[name]++
		}
		if err := consumers.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if found[stream.Ticks] == 0 || found[stream.Signals] == 0 || found[stream.Health] == 0 {
		t.Errorf("consumers were looked for in vain: %v", found)
	}
}

var (
	readmeRequest = regexp.MustCompile(`(?m)^nats req (\S+) '([^']*)'`)
	readmeService = regexp.MustCompile(`(?m)^nats micro (info|stats) (\S+)`)
)

// What README.md has people ask is answered.
func TestRequestsOfTheREADMEAreAnswered(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	requests, services := readmeRequest.FindAllStringSubmatch(string(text), -1), readmeService.FindAllStringSubmatch(string(text), -1)
	if len(requests) < 6 || len(services) < 2 {
		t.Fatalf("found the requests %q and services %q", requests, services)
	}
	c, js := startUp(t, t.TempDir(), "--sim", "--spool", "off", "--health-interval", "1s")
	nc := js.Conn()
	for _, r := range requests {
		words := strings.Split(strings.TrimPrefix(r[1], stream.ControlPrefix), ".")
		if len(words) != 2 {
			t.Errorf("%s is no request to tickstream", r[1])
			continue
		}
		if answer, err := asks[map[string]any](t, nc, words[0], words[1], r[2]); err != nil || len(answer) == 0 {
			t.Errorf("%s: %v, %v", r[0], answer, err)
		}
	}
	for _, s := range services {
		if msg, err := nc.Request("$SRV."+strings.ToUpper(s[1])+"."+s[2], nil, 10*time.Second); err != nil || len(msg.Data) == 0 {
			t.Errorf("%s: %v", s[0], err)
		}
	}
	c.stop()
	if code := c.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// usersOf runs a server with the users of nats.conf, each of whose passwords is
// its name, and returns the URL of one.
func usersOf(t *testing.T) (as func(user string) string) {
	t.Helper()
	for _, user := range []string{"bridge", "pipeline", "health", "operator", "observer"} {
		t.Setenv("NATS_"+strings.ToUpper(user)+"_PASSWORD", `"`+user+`"`)
	}
	t.Setenv("NATS_SYNC_INTERVAL", `"2m"`)
	opts, err := server.ProcessConfigFile("../../nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(runNATS(t, opts), "nats://")
	return func(user string) string { return "nats://" + user + ":" + user + "@" + host }
}

// Health examines with its own rights, for whoever may ask.
func TestDoctorOverNATS(t *testing.T) {
	as, redis := usersOf(t), testbed.StartRedis(t)
	namespace := strings.TrimSuffix(redis.Channels.Ticks, ":market:ticks")
	health := start(t, "", "health", "--nats", as("health"), "--redis", redis.URL, "--redis-namespace", namespace,
		"--http", "127.0.0.1:0", "--session", "always", "--health-interval", "1s")
	observer, err := dialNATS(natsConfig{URL: as("observer")}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()
	if _, err := asks[healthStatus](t, observer, "health", "status", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := asks[doctorReport](t, observer, "health", "doctor", "all"); refusedWith(err) != service.BadRequest {
		t.Errorf("asked for more than it takes: %v", err)
	}
	var report doctorReport
	states := map[string]doctor.State{}
	testbed.Eventually(t, 30*time.Second, "health is seen by its doctor", func(context.Context) bool {
		if report, err = asks[doctorReport](t, observer, "health", "doctor", ""); err != nil {
			t.Fatal(err)
		}
		for _, c := range report.Checks {
			states[c.ID] = c.State
		}
		return states["health"] == doctor.OK
	})
	for id, want := range map[string]doctor.State{
		"nats": doctor.OK, "jetstream": doctor.OK, "streams": doctor.OK, "redis": doctor.OK, "health": doctor.OK,
		"bridge": doctor.Failed, "pipeline": doctor.Failed, "feed": doctor.Failed, "health_nats": doctor.OK, "health_redis": doctor.OK,
	} {
		if states[id] != want {
			t.Errorf("%s is %q, want %q: %+v", id, states[id], want, report.Checks)
		}
	}
	if report.OK {
		t.Error("all is well without bridge and pipeline")
	}
	health.stop()
	if code := health.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(health.stderr.String(), "ermissions") {
		t.Error("NATS refused something")
	}
}
