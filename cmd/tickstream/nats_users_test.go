package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/tickstock/tickstream/pipeline/stream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// runNATS runs a server as opts say, on a free loopback port.
func runNATS(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.HTTPPort, opts.StoreDir = "127.0.0.1", server.RANDOM_PORT, 0, t.TempDir()
	opts.NoSigs, opts.NoLog = true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats server is not ready after 10s")
	}
	return s.ClientURL()
}

// newNKey returns a user's public key, and the file with its seed.
func newNKey(t *testing.T) (public, file string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return public, secretIn(t, string(seed)+"\n")
}

// mayPublish asks the server.
func mayPublish(t *testing.T, cfg natsConfig, subject string) error {
	t.Helper()
	refusals := make(chan error, 1)
	nc, err := dialNATS(cfg, "test", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case refusals <- err:
		default:
		}
	}))
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := errors.Join(nc.Publish(subject, nil), nc.Flush()); err != nil {
		t.Fatalf("publish: %v", err)
	}
	// What the server refuses for certain marks the end of what came before.
	if err := errors.Join(nc.Publish("nobody.may.publish.this", nil), nc.Flush()); err != nil {
		t.Fatalf("publish: %v", err)
	}
	select {
	case err := <-refusals:
		if strings.Contains(err.Error(), "nobody.may") {
			return nil
		}
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the server refused nothing")
		return nil
	}
}

// nats.conf with NKeys in place of passwords: the same rules hold.
func TestNKeysInsteadOfPasswords(t *testing.T) {
	text, err := os.ReadFile("../../nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf, seeds := string(text), map[string]string{}
	for _, user := range []string{"bridge", "pipeline", "health"} {
		public, seed := newNKey(t)
		seeds[user] = seed
		login := regexp.MustCompile(`user: ` + user + `\s+password: \$\w+`)
		if len(login.FindAllString(conf, -1)) != 1 {
			t.Fatalf("nats.conf has no user %s", user)
		}
		conf = login.ReplaceAllString(conf, "nkey: "+public)
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NATS_OPERATOR_PASSWORD", `"x"`)
	t.Setenv("NATS_OBSERVER_PASSWORD", `"x"`)
	t.Setenv("NATS_SYNC_INTERVAL", `"2m"`)
	opts, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	url := runNATS(t, opts)
	as := func(user string) natsConfig {
		return natsConfig{URL: url, NKey: seeds[user], InboxPrefix: "_INBOX." + user}
	}
	for _, c := range []struct {
		user, subject string
		may           bool
	}{
		{"bridge", stream.TickSubject("AAPL"), true}, {"bridge", stream.HealthStatus, false}, {"bridge", stream.BarSubject("1min", "AAPL"), false},
		{"pipeline", stream.BarSubject("1min", "AAPL"), true}, {"pipeline", stream.TickSubject("AAPL"), false},
		{"health", stream.HealthStatus, true}, {"health", stream.TickSubject("AAPL"), false}, {"health", stream.BarSubject("1min", "AAPL"), false},
	} {
		if err := mayPublish(t, as(c.user), c.subject); (err == nil) != c.may {
			t.Errorf("%s publishes to %s: %v, allowed should be %v", c.user, c.subject, err, c.may)
		}
	}
	_, stranger := newNKey(t)
	for name, cfg := range map[string]natsConfig{"another key": {URL: url, NKey: stranger}, "no key": {URL: url}} {
		if _, err := dialNATS(cfg, "test"); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("with %s: %v", name, err)
		}
	}
	// A role connects and makes the streams as its key.
	bridge := start(t, "", "bridge", "--nats", url, "--nats-nkey", seeds["bridge"], "--nats-inbox-prefix", "_INBOX.bridge",
		"--redis", testbed.StartRedis(t).URL, "--spool", "off")
	nc, err := dialNATS(as("health"), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	testbed.Eventually(t, 20*time.Second, "the bridge makes the streams", func(ctx context.Context) bool {
		_, err := js.Stream(ctx, stream.Ticks)
		return err == nil
	})
	bridge.stop()
	if code := bridge.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// A credentials file, as an operator with JWTs gives out.
func TestCredentials(t *testing.T) {
	operator, account, user := must(t, nkeys.CreateOperator), must(t, nkeys.CreateAccount), must(t, nkeys.CreateUser)
	public := func(pair nkeys.KeyPair) string { return must(t, pair.PublicKey) }
	accountClaims := jwt.NewAccountClaims(public(account))
	accountJWT := must(t, func() (string, error) { return accountClaims.Encode(operator) })
	userClaims := jwt.NewUserClaims(public(user))
	userClaims.Pub.Allow.Add("tickstock.health.>")
	userJWT := must(t, func() (string, error) { return userClaims.Encode(account) })
	creds := must(t, func() ([]byte, error) { return jwt.FormatUserConfig(userJWT, must(t, user.Seed)) })

	resolver := &server.MemAccResolver{}
	if err := resolver.Store(public(account), accountJWT); err != nil {
		t.Fatal(err)
	}
	url := runNATS(t, &server.Options{TrustedKeys: []string{public(operator)}, AccountResolver: resolver})
	cfg := natsConfig{URL: url, Creds: secretIn(t, string(creds))}
	if err := mayPublish(t, cfg, stream.HealthStatus); err != nil {
		t.Errorf("with credentials: %v", err)
	}
	if err := mayPublish(t, cfg, stream.TickSubject("AAPL")); err == nil {
		t.Error("credentials allow more than they say")
	}
	if _, err := dialNATS(natsConfig{URL: url}, "test"); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without credentials: %v", err)
	}
}

func must[T any](t *testing.T, make func() (T, error)) T {
	t.Helper()
	made, err := make()
	if err != nil {
		t.Fatal(err)
	}
	return made
}
