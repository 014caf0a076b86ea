package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const patience = 10 * time.Second

var quiet = slog.New(slog.DiscardHandler)

type sum struct{ A, B int }

// sums is a service that adds two numbers.
func sums(instance string) service.Config {
	return service.Config{
		Identity: service.Identity{Version: "v1.2.3", Metadata: map[string]string{"instance": instance}},
		Name:     "sums", Description: "adds numbers",
		Endpoints: []service.Endpoint{
			{Name: "add", Description: "a + b", Body: `{"A":1,"B":2}`, Handle: func(_ context.Context, body []byte) (any, error) {
				var s sum
				if err := service.Decode(body, &s); err != nil {
					return nil, err
				}
				if s.A > 1000 {
					return nil, service.Refuse(service.Unfit, "a is %d:\ngive less", s.A)
				}
				return map[string]int{"sum": s.A + s.B}, nil
			}},
			{Name: "who", Description: "its instance", Each: true, Handle: func(context.Context, []byte) (any, error) { return instance, nil }},
			{Name: "broken", Description: "fails", Handle: func(context.Context, []byte) (any, error) { return nil, errors.New("it broke") }},
			{Name: "slow", Description: "waits", Timeout: time.Millisecond, Handle: func(ctx context.Context, _ []byte) (any, error) {
				<-ctx.Done()
				return nil, fmt.Errorf("wait: %w", ctx.Err())
			}},
		},
	}
}

// run runs a service until stop is called.
func run(t *testing.T, nc *nats.Conn, cfg service.Config) (stop func()) {
	t.Helper()
	s, err := service.New(cfg, nc, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }() // ends with cancel
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

// ask sends a request once the endpoint is there.
func ask(t *testing.T, nc *nats.Conn, endpoint, body string) *nats.Msg {
	t.Helper()
	var reply *nats.Msg
	testbed.Eventually(t, patience, endpoint+" answers", func(context.Context) bool {
		var err error
		reply, err = nc.Request(stream.ControlSubject("sums", endpoint), []byte(body), patience)
		if err != nil && !errors.Is(err, nats.ErrNoResponders) {
			t.Fatalf("%s: %v", endpoint, err)
		}
		return err == nil
	})
	return reply
}

func TestEndpointsAnswer(t *testing.T) {
	server := testbed.StartNATS(t)
	nc := server.Connect()
	defer run(t, server.Connect(), sums("one"))()
	for _, c := range []struct{ endpoint, body, want, code, says string }{
		{"add", `{"A":1,"B":2}`, `{"sum":3}`, "", ""},
		{"add", "", `{"sum":0}`, "", ""},
		{"add", `{"A":1,"C":2}`, "", service.BadRequest, `unknown field "C"`},
		{"add", `{"A":"1"}`, "", service.BadRequest, "cannot unmarshal string"},
		{"add", `{"A":1} {}`, "", service.BadRequest, "goes on behind"},
		{"add", `[1`, "", service.BadRequest, "cannot be read"},
		{"add", `{"A":1,"B":"` + strings.Repeat("x", 20_000) + `"}`, "", service.TooLarge, "give at most 16384"},
		{"add", `{"A":2000}`, "", service.Unfit, "a is 2000: give less"},
		{"who", "", `"one"`, "", ""},
		{"who", "{}", `"one"`, "", ""},
		{"who", `{"A":1}`, "", service.BadRequest, "who takes nothing"},
		{"broken", "", "", service.Internal, "it broke"},
		{"slow", "", "", service.Unavailable, "not answered in time"},
	} {
		reply := ask(t, nc, c.endpoint, c.body)
		code, description := reply.Header.Get(micro.ErrorCodeHeader), reply.Header.Get(micro.ErrorHeader)
		if string(reply.Data) != c.want || code != c.code || !strings.Contains(description, c.says) {
			t.Errorf("%s %.40s: %q, code %q, %q; want %q, %q, %q", c.endpoint, c.body, reply.Data, code, description, c.want, c.code, c.says)
		}
	}
}

func TestServiceIsFound(t *testing.T) {
	server := testbed.StartNATS(t)
	nc := server.Connect()
	stop := run(t, server.Connect(), sums("one"))
	ask(t, nc, "add", `{"A":2000}`)
	find := func(verb micro.Verb, into any) {
		t.Helper()
		subject, err := micro.ControlSubject(verb, "tickstream-sums", "")
		if err != nil {
			t.Fatal(err)
		}
		reply, err := nc.Request(subject, nil, patience)
		if err != nil {
			t.Fatalf("%v: %v", verb, err)
		}
		if err := json.Unmarshal(reply.Data, into); err != nil {
			t.Fatalf("%v: %v", verb, err)
		}
	}
	var ping micro.Ping
	if find(micro.PingVerb, &ping); ping.Version != "1.2.3" || ping.Metadata["instance"] != "one" {
		t.Errorf("ping: %+v", ping)
	}
	var info micro.Info
	find(micro.InfoVerb, &info)
	if info.Description != "adds numbers" || len(info.Endpoints) != 4 {
		t.Fatalf("info: %+v", info)
	}
	add, who := info.Endpoints[0], info.Endpoints[1]
	if add.Subject != "tickstock.control.sums.add" || add.Metadata["description"] != "a + b" || add.Metadata["body"] == "" || add.QueueGroup == "" || who.QueueGroup != "" {
		t.Errorf("endpoints: %+v", info.Endpoints)
	}
	var stats micro.Stats
	find(micro.StatsVerb, &stats)
	if s := stats.Endpoints[0]; s.NumRequests != 1 || s.NumErrors != 1 || !strings.Contains(s.LastError, "422:a is 2000") {
		t.Errorf("stats: %+v", s)
	}
	stop()
	testbed.Eventually(t, patience, "the service is gone", func(context.Context) bool {
		_, err := nc.Request("$SRV.PING.tickstream-sums", nil, patience)
		return errors.Is(err, nats.ErrNoResponders)
	})
}

// Each process answers for itself where that is asked, and one of them else.
func TestInstancesShareAndAnswerForThemselves(t *testing.T) {
	server := testbed.StartNATS(t)
	nc := server.Connect()
	for _, instance := range []string{"one", "two"} {
		defer run(t, server.Connect(), sums(instance))()
	}
	replies := func(endpoint string) map[string]bool {
		inbox, err := nc.SubscribeSync(nats.NewInbox())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = inbox.Unsubscribe() }()
		if err := nc.PublishRequest(stream.ControlSubject("sums", endpoint), inbox.Subject, nil); err != nil {
			t.Fatal(err)
		}
		// What a second request gets comes behind all that the first one got.
		ask(t, nc, endpoint, "")
		got := map[string]bool{}
		for {
			msg, err := inbox.NextMsg(50 * time.Millisecond)
			if err != nil {
				return got
			}
			got[fmt.Sprint(string(msg.Data), len(got))] = true
		}
	}
	testbed.Eventually(t, patience, "both answer for themselves", func(context.Context) bool { return len(replies("who")) == 2 })
	if got := replies("add"); len(got) != 1 {
		t.Errorf("one request was added up %d times: %v", len(got), got)
	}
}

func TestServiceOutlivesAnOutage(t *testing.T) {
	server := testbed.StartNATS(t)
	nc := server.Connect()
	defer run(t, server.Connect(), sums("one"))()
	ask(t, nc, "who", "")
	server.Stop()
	server.Start()
	testbed.Eventually(t, patience, "it answers again", func(context.Context) bool {
		reply, err := nc.Request(stream.ControlSubject("sums", "who"), nil, time.Second)
		return err == nil && string(reply.Data) == `"one"`
	})
}

func TestVersionsAreSemantic(t *testing.T) {
	server := testbed.StartNATS(t)
	nc := server.Connect()
	for given, want := range map[string]string{
		"v1.2.3": "1.2.3", "1.2.3-rc.1": "1.2.3-rc.1", "devel": "0.0.0", "": "0.0.0", "1.2": "0.0.0",
		"v0.0.0-20261125090000-b3cd30c1d2e3+dirty": "0.0.0-20261125090000-b3cd30c1d2e3+dirty",
	} {
		cfg := sums("one")
		cfg.Version = given
		stop := run(t, nc, cfg)
		var ping micro.Ping
		testbed.Eventually(t, patience, "the service is there", func(context.Context) bool {
			reply, err := nc.Request("$SRV.PING", nil, patience)
			return err == nil && json.Unmarshal(reply.Data, &ping) == nil
		})
		if ping.Version != want {
			t.Errorf("%q is shown as %q, want %q", given, ping.Version, want)
		}
		stop()
	}
}
