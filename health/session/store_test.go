package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"github.com/tickstock/tickstream/health/session"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestStoresKeepTheRecord(t *testing.T) {
	server := testbed.StartNATS(t)
	js := server.JetStream()
	if _, err := stream.Ensure(t.Context(), js, stream.Config{}, quiet); err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), stream.HealthBucket)
	if err != nil {
		t.Fatal(err)
	}
	redis := testbed.StartRedis(t)
	client := redis.Client()

	now := ny(t, "2025-10-07 10:00:00")
	k := keeper(t, session.ModeMarket, now)
	k.Step(now, session.Totals{})
	if _, err := k.Stop(now, session.Totals{Patterns: 3}); err != nil {
		t.Fatal(err)
	}
	want := k.Current()

	for name, c := range map[string]struct {
		store   session.Store
		corrupt func(string) error
	}{
		"nats": {
			session.NATSStore{Bucket: func(context.Context) (jetstream.KeyValue, error) { return kv, nil }},
			func(value string) error {
				_, err := kv.PutString(t.Context(), stream.CurrentSessionKey, value)
				return err
			},
		},
		"redis": {
			session.RedisStore{Client: client, Key: redis.Channels.SessionKey},
			func(value string) error { return client.Set(t.Context(), redis.Channels.SessionKey, value, 0).Err() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := c.store.Load(t.Context()); err != nil || !got.IsZero() {
				t.Fatalf("empty store: %+v, %v", got, err)
			}
			if err := c.store.Save(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			got, err := c.store.Load(t.Context())
			if err != nil || !got.Same(want) || *got.End != *want.End || got.Session != want.Session {
				t.Errorf("loaded %+v, %v; want %+v", got, err, want)
			}
			for _, value := range []string{" ", "null", "{}", `{"session_id":"7"}`, "\xff", strings.Repeat(" ", session.MaxRecord+1)} {
				if err := c.corrupt(value); err != nil {
					t.Fatal(err)
				}
				if got, err := c.store.Load(t.Context()); !errors.Is(err, session.ErrInvalid) || !got.IsZero() {
					t.Errorf("%.20q: loaded %+v, %v; want it refused", value, got, err)
				}
			}
		})
	}
}

func TestControlStartsAndStops(t *testing.T) {
	server := testbed.StartNATS(t)
	now := ny(t, "2025-10-07 18:00:00")
	k := keeper(t, session.ModeManual, now)
	changed := make(chan struct{}, 8)
	control := &session.Control{
		Keeper: k, Totals: func() session.Totals { return session.Totals{Indicators: 9} },
		Changed: func() { changed <- struct{}{} }, Now: stopClock(now), Log: quiet,
	}
	nc, operator := server.Connect(), server.Connect()
	offered, err := service.New(control.Service(service.Identity{}), nc, quiet)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := offered.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	ask := func(endpoint string) (r session.Record, code, reason string) {
		t.Helper()
		msg, err := operator.Request(stream.ControlSubject(session.ServiceName, endpoint), nil, testTimeout)
		if err != nil {
			t.Fatalf("%s: %v", endpoint, err)
		}
		if code = msg.Header.Get(micro.ErrorCodeHeader); code != "" {
			return r, code, msg.Header.Get(micro.ErrorHeader)
		}
		if err := json.Unmarshal(msg.Data, &r); err != nil {
			t.Fatalf("%s: %v", endpoint, err)
		}
		return r, "", ""
	}
	refused := func(endpoint string, want error) {
		t.Helper()
		if r, code, reason := ask(endpoint); code != service.Conflict || reason != want.Error() {
			t.Errorf("%s: %+v, code %q, %q, want %v", endpoint, r, code, reason, want)
		}
	}
	refused("show", session.ErrNone)
	refused("stop", session.ErrNotRunning)
	started, code, reason := ask("start")
	if code != "" || started.SessionID != k.Current().SessionID || !k.Current().Active() {
		t.Errorf("start: %+v, %s, session %+v", started, reason, k.Current())
	}
	<-changed
	refused("start", session.ErrRunning)
	if shown, _, reason := ask("show"); shown.SessionID != started.SessionID || !shown.Active() {
		t.Errorf("show: %+v, %s", shown, reason)
	}
	if stopped, _, reason := ask("stop"); stopped.SessionID != started.SessionID || stopped.End == nil || stopped.End.TotalIndicators != 9 {
		t.Errorf("stop: %+v, %s", stopped, reason)
	}
	<-changed
	stop()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.Request(stream.ControlSessionStart, nil, testTimeout); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("after stop: %v, want nobody there", err)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(`{"session_id":"e40d0164-9c1d-4f3a-8a53-9a7a5f0f2f11","started_at":"2025-10-07T14:30:00.000Z","market_date":"2025-10-07","updated_at":"2025-10-07T14:30:00.000Z"}`))
	f.Add([]byte(`{"end":{}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := session.DecodeRecord(data)
		if err != nil {
			if !errors.Is(err, session.ErrInvalid) || !r.IsZero() {
				t.Fatalf("%+v, %v", r, err)
			}
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("encode %+v: %v", r, err)
		}
		if back, err := session.DecodeRecord(again); err == nil && back.SessionID != r.SessionID {
			t.Fatalf("%+v came back as %+v", r, back)
		}
	})
}
