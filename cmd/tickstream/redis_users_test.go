package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// The roles themselves as the users of deploy/redis-users.acl: nothing that
// they do is refused.
func TestRolesRunAsTheirRedisUsers(t *testing.T) {
	rules, err := os.ReadFile("../../deploy/redis-users.acl")
	if err != nil {
		t.Fatal(err)
	}
	var configuration strings.Builder
	for _, line := range lines(string(rules)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "user" {
			fmt.Fprintf(&configuration, "%s >%s\n", line, "secret-of-"+fields[1])
		}
	}
	port, ok := testbed.StartRedisServer(t, "port {port}\n"+configuration.String())
	if !ok {
		t.Skip("needs a real Redis, which " + testbed.RedisEnv + " promises: the in-process one has no users")
	}
	appV2 := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Password: "secret-of-default"})
	defer appV2.Close()
	operator := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Username: "operator", Password: "secret-of-operator"})
	defer operator.Close()
	n := testbed.StartNATS(t)
	js := n.JetStream()
	c := event.NewChannels(event.DefaultNamespace)
	heard := appV2.Subscribe(t.Context(), c.Health, c.SessionStarted, c.Indicators)
	defer heard.Close()

	as := func(user string) []string {
		t.Setenv("REDIS_URL", "redis://"+user+":secret-of-"+user+"@127.0.0.1:"+port)
		t.Setenv("NATS_URL", n.URL())
		return []string{"--log-level", "debug", user}
	}
	bridge := start(t, "", append(as("bridge"), "--spool", t.TempDir())...)
	testbed.Eventually(t, 20*time.Second, "the bridge subscribes", func(context.Context) bool {
		return strings.Contains(bridge.stderr.String(), "subscribed")
	})
	health := start(t, "", append(as("health"), "--http", "127.0.0.1:0", "--session", "always", "--health-interval", "1s")...)
	seen := map[string]bool{}
	messages := heard.Channel()
	testbed.Eventually(t, 30*time.Second, "ticks are stored, and health, a session and a result go out", func(ctx context.Context) bool {
		tick := fmt.Sprintf(`{"symbol":"AAPL","price":1.5,"volume":1,"timestamp":%d}`, time.Now().Unix())
		if err := appV2.Publish(ctx, c.Ticks, tick).Err(); err != nil {
			t.Fatalf("publish a tick as AppV2: %v", err)
		}
		for len(messages) > 0 {
			seen[(<-messages).Channel] = true
		}
		ticks, err := js.Stream(ctx, stream.Ticks)
		if err != nil || ticks.CachedInfo().State.Msgs == 0 {
			return false
		}
		if !seen[c.Indicators] {
			end := time.Now().UTC().Truncate(time.Minute)
			key := event.BarKey{Symbol: "AAPL", Timeframe: "1min", Start: event.At(end.Add(-time.Minute)), End: event.At(end)}
			result, err := json.Marshal(event.Indicator{Indicator: "RSI", BarKey: key, Value: 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.Publish(ctx, stream.SignalSubject(event.KindIndicator, "RSI", "AAPL"), result); err != nil {
				t.Fatalf("publish an indicator: %v", err)
			}
		}
		return len(seen) == 3 && appV2.Get(ctx, c.HeartbeatKey).Err() == nil && appV2.Get(ctx, c.SessionKey).Err() == nil
	})
	for _, role := range []*command{bridge, health} {
		role.stop()
		if code := role.wait(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
	}
	refused, err := operator.ACLLog(t.Context(), 20).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refused {
		t.Errorf("Redis refused %s: %s %s", r.Username, r.Reason, r.Object)
	}
}
