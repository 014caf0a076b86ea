package main

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// The bridge's user is taken away from NATS: what is read waits, the log names
// the cause, and all is stored when the user is back.
func TestRevokedNATSUserCostsNoTick(t *testing.T) {
	s, folder := startTestServers(t), t.TempDir()
	c := s.bridge(t, "--spool", folder)
	s.awaitBridge(t, c, "leads", leads)
	l := s.newTickFeed()
	l.publish(t, 500)
	s.expectStored(t, l.sent)
	s.nats.Reload(func(o *server.Options) { o.Username, o.Password = "other", "changed" })
	l.publish(t, 1000)
	last := l.sent["SYM4"][len(l.sent["SYM4"])-1]
	testbed.Eventually(t, 30*time.Second, "all spooled", func(context.Context) bool { return spooled(t, folder, last) })
	testbed.Eventually(t, 30*time.Second, "the log names the cause", func(context.Context) bool {
		return strings.Contains(strings.ToLower(c.stderr.String()), "authorization violation")
	})
	s.nats.Reload(func(o *server.Options) { o.Username, o.Password = "", "" })
	testbed.Eventually(t, 30*time.Second, "the test itself is back", func(context.Context) bool { return s.js.Conn().IsConnected() })
	s.expectStored(t, l.sent)
}

// Redis changes its password: the bridge says so, and reads on when it is given
// back; the time between is a gap that is published.
func TestChangedRedisPasswordIsAGap(t *testing.T) {
	s := startTestServers(t)
	s.redis = testbed.StartOwnRedis(t)
	change := s.passwordChanger(t)
	c := s.bridge(t, "--spool", "off")
	s.awaitBridge(t, c, "leads", leads)
	l := s.newTickFeed()
	l.publish(t, 500)
	s.expectStored(t, l.sent)
	change("changed")
	s.awaitBridge(t, c, "says that it does not read", func(r *presence.Report) bool { return !r.Bridge.Subscribed && r.Bridge.FailedConnects > 0 })
	testbed.Eventually(t, 30*time.Second, "the log names the cause", func(context.Context) bool {
		return strings.Contains(c.stderr.String(), "NOAUTH")
	})
	change("")
	s.awaitBridge(t, c, "reads again", func(r *presence.Report) bool { return r.Bridge.Subscribed && r.Bridge.Gaps == 1 })
	l.publish(t, 500)
	s.expectStored(t, l.sent)
	s.expectGap(t)
}

// passwordChanger changes the password of Redis and disconnects its subscribers.
func (s *testServers) passwordChanger(t *testing.T) func(password string) {
	t.Helper()
	if embedded := s.redis.Embedded; embedded != nil {
		return func(password string) {
			embedded.RequireAuth(password)
			embedded.Close()
			if err := embedded.Restart(); err != nil {
				t.Fatal(err)
			}
		}
	}
	admin := s.redis.Client().Conn() // one that stays, and is let in already
	t.Cleanup(func() { _ = admin.Close() })
	if err := admin.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return func(password string) {
		if err := admin.ConfigSet(t.Context(), "requirepass", password).Err(); err != nil {
			t.Fatalf("change the password: %v", err)
		}
		if err := admin.Do(t.Context(), "client", "kill", "type", "pubsub").Err(); err != nil {
			t.Fatalf("disconnect subscribers: %v", err)
		}
	}
}

// A bridge that stands still is cut off by Redis, which does not wait for slow
// subscribers: the gap is seen, counted and published.
func TestSubscriberThatRedisCutsIsAGap(t *testing.T) {
	s := startTestServers(t)
	s.redis = testbed.StartOwnRedis(t)
	if s.redis.Embedded == nil {
		if err := s.redis.Client().ConfigSet(t.Context(), "client-output-buffer-limit", "pubsub 256kb 256kb 1").Err(); err != nil {
			t.Fatal(err)
		}
	}
	c := s.bridge(t, "--spool", "off")
	s.awaitBridge(t, c, "leads", leads)
	l := s.newTickFeed()
	l.publish(t, 500)
	s.expectStored(t, l.sent)
	c.signal(syscall.SIGSTOP)
	if s.redis.Embedded != nil {
		s.redis.Embedded.Close()
		if err := s.redis.Embedded.Restart(); err != nil {
			t.Fatal(err)
		}
	} else {
		flood := s.redis.Client()
		for range 400 { // beyond what the sockets hold
			if err := flood.Publish(t.Context(), s.redis.Channels.Ticks, strings.Repeat("x", 64<<10)).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.signal(syscall.SIGCONT)
	s.awaitBridge(t, c, "has counted the gap and reads again", func(r *presence.Report) bool { return r.Bridge.Subscribed && r.Bridge.Gaps == 1 })
	l.publish(t, 500)
	s.expectStored(t, l.sent)
	s.expectGap(t)
}

func (s *testServers) expectGap(t *testing.T) {
	t.Helper()
	testbed.Eventually(t, 30*time.Second, "a published gap", func(ctx context.Context) bool {
		health, err := s.js.Stream(ctx, stream.Health)
		if err != nil {
			return false
		}
		_, err = health.GetLastMsgForSubject(ctx, stream.HealthGap)
		return err == nil
	})
}
