package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// services are those of each role, by their endpoints.
var services = map[string]map[string][]string{
	presence.RoleBridge:   {"bridge": {"status"}, "egress": {"status"}},
	presence.RolePipeline: {"pipeline": {"status"}, "store": {"status"}},
	presence.RoleHealth: {
		"health": {"status", "doctor"}, "session": {"start", "stop", "show"}, "replay": {"start", "stop", "progress"},
	},
}

// othersRequests are the subjects of the other roles' services.
func othersRequests(role string) []string {
	var subjects []string
	for other, offered := range services {
		for name := range offered {
			if other != role {
				subjects = append(subjects, stream.ControlSubject(name, "status"))
			}
		}
	}
	return subjects
}

// offer has a role offer all of its services on one connection.
func offer(t *testing.T, c *client) {
	t.Helper()
	for name, endpoints := range services[c.user] {
		cfg := service.Config{Name: name}
		for _, endpoint := range endpoints {
			cfg.Endpoints = append(cfg.Endpoints, service.Endpoint{Name: endpoint, Handle: func(context.Context, []byte) (any, error) { return name + " " + endpoint, nil }})
		}
		s, err := service.New(cfg, c.Conn, quiet)
		if err != nil {
			t.Fatal(err)
		}
		stop, err := s.Serve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
}

// pinged are the services that answer on subject.
func pinged(t *testing.T, c *client, subject string, want int) []string {
	t.Helper()
	inbox := c.NewRespInbox()
	answers, err := c.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := c.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for range want {
		msg, err := answers.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("%s as %s: %v after %v", subject, c.user, err, slices.Sorted(maps.Keys(found)))
		}
		var ping micro.Ping
		if err := json.Unmarshal(msg.Data, &ping); err != nil {
			t.Fatal(err)
		}
		found[ping.Name] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// Each service is found by `nats micro`, several on one connection, and answers.
func TestRolesAreServices(t *testing.T) {
	s := startServer(t)
	offering := map[string]*client{}
	for _, role := range roles {
		offering[role] = connect(t, s, role)
		offer(t, offering[role])
	}
	want := []string{
		"tickstream-bridge", "tickstream-egress", "tickstream-health", "tickstream-pipeline", "tickstream-replay", "tickstream-session", "tickstream-store",
	}
	for _, user := range []string{"operator", "observer"} {
		c := connect(t, s, user)
		for _, verb := range []string{"PING", "INFO", "STATS"} {
			if got := pinged(t, c, "$SRV."+verb, len(want)); !slices.Equal(got, want) {
				t.Errorf("%s sees by %s %v, want %v", user, verb, got, want)
			}
		}
	}
	operator := connect(t, s, "operator")
	for _, offered := range services {
		for name, endpoints := range offered {
			for _, endpoint := range endpoints {
				var answer string
				err := service.Ask(t.Context(), operator.Conn, stream.ControlSubject(name, endpoint), nil, &answer)
				if err != nil || answer != name+" "+endpoint {
					t.Errorf("%s of %s: %q, %v", endpoint, name, answer, err)
				}
			}
		}
	}
	for _, c := range offering {
		c.mustBeAllowed()
	}
}

// Who observes may ask how it is, and start and stop nothing.
func TestObserverOnlyLooks(t *testing.T) {
	s, _ := ensured(t)
	for _, role := range roles {
		offer(t, connect(t, s, role))
	}
	observer := connect(t, s, "observer")
	var answer string
	for _, subject := range []string{
		stream.ControlSubject("bridge", "status"), stream.ControlSubject("egress", "status"), stream.ControlSubject("pipeline", "status"),
		stream.ControlSubject("store", "status"), stream.ControlSubject("health", "status"), stream.ControlSubject("health", "doctor"),
		stream.ControlSubject("session", "show"), stream.ControlSubject("replay", "progress"),
	} {
		if err := service.Ask(t.Context(), observer.Conn, subject, nil, &answer); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	heard := make(chan string, 4)
	for _, subject := range []string{stream.HealthStatus, stream.AllBars, stream.AllSignals, "tickstock.session.*"} {
		if _, err := observer.Subscribe(subject, func(m *nats.Msg) { heard <- m.Subject }); err != nil {
			t.Fatal(err)
		}
	}
	observer.mustBeAllowed()
	operator := connect(t, s, "operator")
	for _, subject := range []string{stream.HealthStatus, stream.BarSubject("1min", "AAPL"), stream.SignalSubject("alert", "RSI", "AAPL"), stream.SessionStarted} {
		if err := operator.single(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-heard:
			if got != subject {
				t.Errorf("heard %s, want %s", got, subject)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s was not heard", subject)
		}
	}
	if err := operator.keyed(t.Context(), stream.HealthBucket, stream.LatestHealthKey); err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 5*time.Second, "the latest health is read", func(ctx context.Context) bool {
		kv, err := observer.js.KeyValue(ctx, stream.HealthBucket)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := kv.Get(ctx, stream.LatestHealthKey)
		return err == nil && string(entry.Value()) == "2"
	})
	observer.mustBeAllowed()

	for _, subject := range []string{
		stream.ControlSessionStart, stream.ControlSessionStop, stream.ControlSubject("replay", "start"), stream.ControlSubject("replay", "stop"),
		stream.HealthStatus, stream.TickSubject("AAPL"), "$KV.tickstream_health.latest", "$JS.API.STREAM.DELETE.TICKS", "$JS.API.CONSUMER.CREATE.TICKS.x",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // the server lets the request fall
		err := service.Ask(ctx, observer.Conn, subject, nil, &answer)
		cancel()
		if refusals := observer.refused(); len(refusals) != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, refusals %q, want one", subject, err, refusals)
		}
	}
	for _, subject := range []string{">", "tickstock.>", "_INBOX.operator.>", stream.ControlSubject("session", "start"), "$SRV.PING"} {
		if _, err := observer.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if refusals := observer.refused(); len(refusals) != 1 {
			t.Errorf("subscription to %s: refusals are %q, want one", subject, refusals)
		}
	}
}
