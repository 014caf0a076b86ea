package health_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/pipeline/event/schema"
	"github.com/tickstock/tickstream/pipeline/service"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// offering are the processes that answer for the session, by their metadata.
func offering(t *testing.T, nc *nats.Conn) []string {
	t.Helper()
	inbox := nc.NewRespInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := nc.PublishRequest("$SRV.PING.tickstream-session", inbox, nil); err != nil {
		t.Fatal(err)
	}
	var found []string
	for {
		msg, err := answers.NextMsg(200 * time.Millisecond) // for a second one that must not be
		if err != nil || len(msg.Data) == 0 {
			return found
		}
		var ping micro.Ping
		if err := json.Unmarshal(msg.Data, &ping); err != nil {
			t.Fatal(err)
		}
		found = append(found, ping.Metadata["instance"])
	}
}

// Only the process that decides on the session answers requests for it, and for
// what else is offered by whoever leads.
func TestWhoeverLeadsAnswers(t *testing.T) {
	r := newRig(t)
	e := r.ears()[0]
	process := func(instance string, active int) *node {
		identity := service.Identity{Metadata: map[string]string{"instance": instance}}
		return r.start(r.link(), setup{active: active, cfg: health.Config{Interval: time.Second, Identity: identity}, offers: []service.Config{{
			Identity: identity, Name: "extra", Endpoints: []service.Endpoint{{Name: "who", Handle: func(context.Context, []byte) (any, error) { return instance, nil }}},
		}}})
	}
	nc := r.nats.Connect()
	who := func(ctx context.Context) (answer string) {
		if err := service.Ask(ctx, nc, stream.ControlSubject("extra", "who"), nil, &answer); err != nil {
			return err.Error()
		}
		return answer
	}
	first := process("first", leader)
	e.waitAfter(0, schema.Health)
	second := process("second", standby)
	testbed.Eventually(t, patience, "the standby knows the session", func(context.Context) bool {
		return second.monitor.Snapshot().Session.SessionID == first.monitor.Snapshot().Session.SessionID
	})
	if found := offering(t, nc); len(found) != 1 || found[0] != "first" || who(t.Context()) != "first" {
		t.Errorf("%v offer the session, want the first", found)
	}
	first.stop()
	testbed.Eventually(t, patience, "the second answers", func(ctx context.Context) bool { return who(ctx) == "second" })
	if found := offering(t, nc); len(found) != 1 || found[0] != "second" {
		t.Errorf("%v offer the session, want the second", found)
	}
}
