package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/cmd/tickstream/bus"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestLatest(t *testing.T) {
	js := testbed.StartNATS(t).JetStream()
	if _, err := bus.Latest(t.Context(), js); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("without a stream: %v", err)
	}
	if _, err := stream.Ensure(t.Context(), js, stream.Config{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	latest := func() bus.State {
		t.Helper()
		state, err := bus.Latest(t.Context(), js)
		if err != nil {
			t.Fatal(err)
		}
		if skew := time.Until(state.ServerTime).Abs(); skew > 5*time.Second {
			t.Errorf("the server's time is off by %v", skew)
		}
		return state
	}
	if state := latest(); state.Active() || state.Session() != nil || state.Health != nil || state.LastSequence != 0 {
		t.Errorf("an empty stream gives %+v", state)
	}
	for _, step := range []struct {
		subject, payload string
		active           bool
		session          string
	}{
		{stream.SessionStarted, "one", true, "one"},
		{stream.HealthStatus, "no JSON", true, "one"},
		{stream.SessionStarted, "one again", true, "one again"},
		{stream.SessionStopped, "end", false, "end"},
		{stream.HealthStatus, `{"status":"healthy"}`, false, "end"},
		{stream.SessionStarted, "two", true, "two"},
	} {
		if _, err := js.Publish(t.Context(), step.subject, []byte(step.payload)); err != nil {
			t.Fatal(err)
		}
		state := latest()
		if session := state.Session(); state.Active() != step.active || string(session.Payload) != step.session {
			t.Errorf("after %q: active is %v, session is %s", step.payload, state.Active(), session.Payload)
		}
		if health, ok := state.HealthEvent(); ok != (state.Health != nil && state.Health.Sequence == 5) || ok && health.Status != "healthy" {
			t.Errorf("after %q: health is %+v, %v", step.payload, health, ok)
		}
	}
}

func TestSubscribers(t *testing.T) {
	r := testbed.StartRedis(t)
	client, ticks, health := r.Client(), r.Channels.Ticks, r.Channels.Health
	pubsub := client.Subscribe(t.Context(), ticks)
	defer func() { _ = pubsub.Close() }()
	testbed.Eventually(t, 5*time.Second, "the subscription counts", func(ctx context.Context) bool {
		counts, err := bus.Subscribers(ctx, client, ticks, health)
		return err == nil && counts[ticks] == 1 && counts[health] == 0
	})
	if node, err := bus.ChannelNode(t.Context(), client, ticks); err != nil || node != client {
		t.Errorf("a single server is %v, %v", node, err)
	}
}
