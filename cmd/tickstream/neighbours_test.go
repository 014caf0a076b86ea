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
	if s.redis.Embedded == nil {
		t.Skip("would lock the tests beside it out of their Redis")
	}
	c := s.bridge(t, "--spool", "off")
	s.awaitBridge(t, c, "leads", leads)
	l := s.newTickFeed()
	l.publish(t, 500)
	s.expectStored(t, l.sent)
	s.redis.Embedded.RequireAuth("changed")
	s.redis.Embedded.Close()
	if err := s.redis.Embedded.Restart(); err != nil {
		t.Fatal(err)
	}
	s.awaitBridge(t, c, "says that it does not read", func(r *presence.Report) bool { return !r.Bridge.Subscribed && r.Bridge.FailedConnects > 0 })
	testbed.Eventually(t, 30*time.Second, "the log names the cause", func(context.Context) bool {
		return strings.Contains(c.stderr.String(), "NOAUTH")
	})
	s.redis.Embedded.RequireAuth("")
	s.awaitBridge(t, c, "reads again", func(r *presence.Report) bool { return r.Bridge.Subscribed && r.Bridge.Gaps == 1 })
	l.publish(t, 500)
	s.expectStored(t, l.sent)
	s.expectGap(t)
}

// A bridge that stands still is cut off by Redis, which does not wait for slow
// subscribers: the gap is seen, counted and published.
func TestSubscriberThatRedisCutsIsAGap(t *testing.T) {
	s := startTestServers(t)
	if s.redis.Embedded == nil {
		const setting = "client-output-buffer-limit"
		admin := s.redis.Client()
		before := admin.ConfigGet(t.Context(), setting).Val()[setting]
		if err := admin.ConfigSet(t.Context(), setting, "pubsub 256kb 256kb 1").Err(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { admin.ConfigSet(context.WithoutCancel(t.Context()), setting, before) })
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
