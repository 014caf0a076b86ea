package testbed

import (
	"crypto/rand"
	"os"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
)

// RedisEnv names the variable with the URL of a real Redis for the tests.
const RedisEnv = "TICKSTREAM_TEST_REDIS_URL"

// Redis is a server for one test: the one that [RedisEnv] names, else an
// in-process one. Channels are the test's own, so that tests can share a
// server.
type Redis struct {
	URL      string
	Channels event.Channels
	// Embedded is nil where the server is a real one.
	Embedded *miniredis.Miniredis
	tb       testing.TB
}

// StartRedis returns the Redis of the test.
func StartRedis(tb testing.TB) *Redis {
	tb.Helper()
	r := &Redis{tb: tb, URL: os.Getenv(RedisEnv), Channels: event.NewChannels("test-" + rand.Text()[:10])}
	if r.URL == "" {
		embedded := miniredis.NewMiniRedis()
		if err := embedded.Start(); err != nil {
			tb.Fatalf("start in-process redis: %v", err)
		}
		tb.Cleanup(embedded.Close)
		r.Embedded, r.URL = embedded, "redis://"+embedded.Addr()
	}
	return r
}

// StartOwnRedis is StartRedis for a test that changes the server's settings: no
// other test uses it.
func StartOwnRedis(tb testing.TB) *Redis {
	tb.Helper()
	port, isReal := StartRedisServer(tb, "port {port}")
	if !isReal {
		return StartRedis(tb)
	}
	return &Redis{tb: tb, URL: "redis://127.0.0.1:" + port, Channels: event.NewChannels("test-" + rand.Text()[:10])}
}

// Client returns a client that is closed with the test.
func (r *Redis) Client() *redis.Client {
	r.tb.Helper()
	options, err := redis.ParseURL(r.URL)
	if err != nil {
		r.tb.Fatalf("parse redis url: %v", err)
	}
	client := redis.NewClient(options)
	r.tb.Cleanup(func() { _ = client.Close() })
	return client
}
