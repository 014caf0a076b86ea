package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func TestRedactHidesSecrets(t *testing.T) {
	for raw, want := range map[string]string{
		"redis://127.0.0.1:6379":                             "redis://127.0.0.1:6379",
		"redis://user:hunter2@h:1/0":                         "redis://xxxxx@h:1/0",
		"redis://:hunter2@h:1":                               "redis://xxxxx@h:1",
		"nats://hunter2@h:4222":                              "nats://xxxxx@h:4222",
		"nats://u:hunter2@a:1,nats://u:hunter2@b:2":          "nats://xxxxx@a:1,nats://xxxxx@b:2",
		"redis+sentinel://u:hunter2@a:1,b:2/m":               "redis+sentinel://xxxxx@a:1,b:2/m",
		"redis+sentinel://a:1/m/0?sentinel_password=hunter2": "redis+sentinel://a:1/m/0?…",
		"u:hunter2@h:4222":                                   "h:4222",
		"redis://u:hun@ter2@h:1":                             "redis://xxxxx@h:1",
	} {
		if got := redact(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

// The user of a URL gets an inbox of its own, as nats.conf allows it.
func TestNATSUser(t *testing.T) {
	for raw, want := range map[string]string{
		"nats://127.0.0.1:4222":          "",
		"localhost:4222":                 "",
		"nats://bridge:pw@nats:4222":     "bridge",
		"tls://a:1, nats://health:x@b:2": "health",
		"nats://token@h":                 "", // a token is no name
		"wss://h:443":                    "",
	} {
		if got, err := natsUser(raw); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"", ",", "nats://", "http://h", "nats://u:hunter2@h:x", "nats://u:hunter2@h/%zz"} {
		_, err := natsUser(raw)
		if err == nil {
			t.Errorf("%q was accepted", raw)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: a secret is shown: %v", raw, err)
		}
	}
}

func TestInboxPrefix(t *testing.T) {
	n := testbed.StartNATS(t)
	at := strings.TrimPrefix(n.URL(), "nats://")
	for _, c := range []struct {
		cfg  natsConfig
		want string
	}{
		{natsConfig{URL: "nats://" + at}, nats.InboxPrefix},
		{natsConfig{URL: "nats://bridge:pw@" + at}, "_INBOX.bridge."},
		{natsConfig{URL: "nats://bridge:pw@" + at, InboxPrefix: "my.inbox."}, "my.inbox."},
	} {
		nc, err := dialNATS(c.cfg, "test")
		if err != nil {
			t.Fatal(err)
		}
		if got := nc.NewRespInbox(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: inbox is %s, want %s…", c.cfg, got, c.want)
		}
		nc.Close()
	}
}

// A service may start before NATS does.
func TestConnectNATSWaits(t *testing.T) {
	n := testbed.StartNATS(t)
	url := n.URL()
	n.Stop()
	nc, err := connectNATS(natsConfig{URL: url}, "test", quiet)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer nc.Close()
	if err := nc.Publish("x", nil); err == nil {
		t.Error("a publication was buffered without a server")
	}
	if _, err := dialNATS(natsConfig{URL: url}, "test"); err == nil || !strings.Contains(err.Error(), "--nats (NATS_URL)") {
		t.Errorf("dial: %v", err)
	}
	n.Start()
	testbed.Eventually(t, 10*time.Second, "connected", func(context.Context) bool { return nc.IsConnected() })
}

func TestTLSFiles(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string]tlsFiles{
		"read CA file":             {CA: "/nowhere/ca.pem"},
		"holds no PEM":             {CA: notPEM},
		"both its certificate and": {Cert: notPEM},
		"load certificate":         {Cert: notPEM, Key: notPEM},
	} {
		if _, err := connectRedis(redisConfig{URL: "rediss://h", TLS: files}, "test"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("redis: error is %v, want %q", err, want)
		}
		if _, err := connectNATS(natsConfig{URL: "tls://h", TLS: files}, "test", quiet); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nats: error is %v, want %q", err, want)
		}
	}
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	for n := -1; n < 200; n++ {
		if d := backoff(n); d < 50*time.Millisecond || d > time.Second {
			t.Fatalf("after %d failures the wait is %v", n, d)
		}
	}
	if d := backoff(50); d < 500*time.Millisecond {
		t.Errorf("after 50 failures the wait is %v", d)
	}
}
