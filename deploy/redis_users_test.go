package deploy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// startRedis runs the Redis of docker-compose.yml and connects as each user.
func startRedis(t *testing.T) (port string, users map[string]*redis.Client) {
	t.Helper()
	port, ok := testbed.StartRedisServer(t, "port {port}\n"+redisConfiguration(t))
	if !ok {
		t.Skip("needs a real Redis, which " + testbed.RedisEnv + " promises: the in-process one has no users")
	}
	users = map[string]*redis.Client{}
	for _, user := range []string{"default", "bridge", "health", "operator"} {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, Username: user, Password: user + user, ClientName: "tickstream-test"})
		t.Cleanup(func() { _ = client.Close() })
		users[user] = client
	}
	return port, users
}

func TestRedisUsersMayDoTheirWorkAndNoMore(t *testing.T) {
	port, users := startRedis(t)
	stranger := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	defer stranger.Close()
	if err := stranger.Ping(t.Context()).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("without a password: %v", err)
	}
	c := event.NewChannels(event.DefaultNamespace)
	publish := func(channels ...string) (lines []string) {
		for _, channel := range channels {
			lines = append(lines, "publish "+channel+" x")
		}
		return lines
	}
	results := publish(c.Indicators, c.Patterns, c.PatternsHigh, c.PatternEvents, c.AlertsIndicator, c.Persistence, c.Errors)
	events := publish(c.Health, c.SessionStarted, c.SessionStopped, c.AlertsCritical)
	ticks := publish(c.Ticks, c.RawTicks)
	for user, lists := range map[string]struct{ may, not [][]string }{
		"default": {
			may: [][]string{ticks, {"set cache:x 1", "get cache:x", "keys cache:*", "info server", "pubsub numsub " + c.Health}},
			not: [][]string{{"flushall", "shutdown nosave", "config get requirepass", "acl list", "replicaof no one", "monitor", "client kill id 1"}},
		},
		"bridge": {
			may: [][]string{results, publish("tickstream:beat:" + c.Ticks), {"xgroup create " + c.Ticks + " g 0 mkstream", "xack " + c.Ticks + " g 0-1", "time"}},
			not: [][]string{ticks, events, {
				"get cache:x", "set cache:x 1", "get " + c.HeartbeatKey, "set " + c.HeartbeatKey + " 1", "set " + c.SessionKey + " x", "del " + c.Ticks, "xadd " + c.Ticks + " * a b",
				"keys *", "config get *", "flushall", "acl list", "client list", "publish other x", "hset " + c.SessionKey + " a b",
			}},
		},
		"health": {
			may: [][]string{events, {"set " + c.HeartbeatKey + " 1", "getrange " + c.SessionKey + " 0 9", "set " + c.SessionKey + " x ex 10", "pubsub numsub " + c.Health, "time", "type " + c.Ticks}},
			not: [][]string{ticks, results, publish("tickstream:beat:" + c.Ticks), {
				"get cache:x", "del " + c.SessionKey, "get " + c.Indicators + ":sender", "type cache:x", "client list", "pubsub channels", "keys *", "config get *", "flushall",
			}},
		},
		"operator": {may: [][]string{ticks, results, events, {"acl list", "client list"}}},
	} {
		try := func(lines [][]string, allowed bool) {
			for _, list := range lines {
				for _, line := range list {
					var args []any
					for word := range strings.FieldsSeq(line) {
						args = append(args, word)
					}
					err := users[user].Do(t.Context(), args...).Err()
					refused := err != nil && strings.HasPrefix(err.Error(), "NOPERM")
					if refused == allowed || allowed && err != nil && err != redis.Nil { //nolint:errorlint // as go-redis returns it
						t.Errorf("%s: %s: %v, allowed should be %v", user, line, err, allowed)
					}
				}
			}
		}
		try(lists.may, true)
		try(lists.not, false)
	}
	// A script may do no more than its user.
	err := users["health"].Eval(t.Context(), "return redis.call('GET', 'cache:x')", []string{c.HealthLeaseKey}).Err()
	if err == nil || !strings.Contains(err.Error(), "can't access") {
		t.Errorf("health reads another's key by a script: %v", err)
	}
	for user, channels := range map[string]map[string]bool{
		"bridge": {c.Ticks: true, "tickstream:beat:" + c.Ticks: true, c.Health: false, "other": false},
		"health": {c.Ticks: true, c.Health: true, "tickstream:beat:" + c.Ticks: false, c.Indicators: false},
	} {
		for channel, allowed := range channels {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			sub := users[user].Subscribe(ctx, channel)
			_, err := sub.Receive(ctx)
			if (err == nil) != allowed {
				t.Errorf("%s subscribes to %s: %v, allowed should be %v", user, channel, err, allowed)
			}
			_ = sub.Close()
			cancel()
		}
	}
}
