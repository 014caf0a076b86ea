package main

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// startTLSNATS runs a server that only speaks TLS.
func startTLSNATS(t *testing.T, authority *testbed.Authority, mutual bool) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		TLSConfig: authority.Server(authority.Issue("server"), mutual), TLSVerify: mutual, TLSTimeout: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats server is not ready after 10s")
	}
	return "tls://" + s.Addr().String()
}

// Each kind of server with TLS, with and without a client certificate: who is
// let in, and that renewed files are used without a restart.
func TestTLSToServers(t *testing.T) {
	dialNATSWith := func(at string, files tlsFiles) error {
		nc, err := dialNATS(natsConfig{URL: at, TLS: files}, "test")
		if err == nil {
			nc.Close()
		}
		return err
	}
	dialRedis := func(at string, files tlsFiles) error {
		client, err := connectRedis(redisConfig{URL: at, TLS: files}, "test")
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Ping(t.Context()).Err()
	}
	for name, kind := range map[string]struct {
		start func(*testing.T, *testbed.Authority, bool) string
		dial  func(string, tlsFiles) error
	}{
		"NATS":  {startTLSNATS, dialNATSWith},
		"Redis": {startTLSRedis, dialRedis},
	} {
		for _, mutual := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " mutual"}[mutual], func(t *testing.T) {
				authority, stranger := testbed.NewAuthority(t), testbed.NewAuthority(t)
				at := kind.start(t, authority, mutual)
				client, unknown := authority.Issue("client"), stranger.Issue("client")
				for who, c := range map[string]struct {
					files tlsFiles
					let   bool
				}{
					"with the authority":         {tlsFiles{CA: authority.File}, !mutual},
					"with a certificate":         {tlsFiles{CA: authority.File, Cert: client.Cert, Key: client.Key}, true},
					"without the authority":      {tlsFiles{}, false},
					"with another authority":     {tlsFiles{CA: stranger.File, Cert: client.Cert, Key: client.Key}, false},
					"with another's certificate": {tlsFiles{CA: authority.File, Cert: unknown.Cert, Key: unknown.Key}, !mutual},
				} {
					if err := kind.dial(at, c.files); (err == nil) != c.let {
						t.Errorf("%s: %v, let in should be %v", who, err, c.let)
					}
				}
			})
		}
	}
}

// startTLSRedis is a real one where there is one.
func startTLSRedis(t *testing.T, authority *testbed.Authority, mutual bool) string {
	t.Helper()
	pair := authority.Issue("server")
	clients := "no"
	if mutual {
		clients = "yes"
	}
	if port, ok := testbed.StartRedisServer(t, "port 0\ntls-port {port}\ntls-cert-file "+pair.Cert+"\ntls-key-file "+pair.Key+
		"\ntls-ca-cert-file "+authority.File+"\ntls-auth-clients "+clients+"\n"); ok {
		return "rediss://127.0.0.1:" + port
	}
	s, err := miniredis.RunTLS(authority.Server(pair, mutual))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return "rediss://" + s.Addr()
}

// A service whose certificate is not taken gets in once it is renewed.
func TestCertificatesAreReadAnew(t *testing.T) {
	authority, stranger := testbed.NewAuthority(t), testbed.NewAuthority(t)
	good, files := authority.Issue("good"), stranger.Issue("client")
	natsURL, redisURL := startTLSNATS(t, authority, true), startTLSRedis(t, authority, true)
	tlsConfig := tlsFiles{CA: stranger.File, Cert: files.Cert, Key: files.Key}
	nc, err := connectNATS(natsConfig{URL: natsURL, TLS: tlsConfig}, "test", quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	client, err := connectRedis(redisConfig{URL: redisURL, TLS: tlsConfig, ReadAhead: 1 << 20}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err == nil || nc.Status() == nats.CONNECTED {
		t.Fatalf("let in with another's certificate: %v, %v", err, nc.Status())
	}
	copyFile(t, authority.File, stranger.File)
	copyFile(t, good.Cert, files.Cert)
	copyFile(t, good.Key, files.Key)
	testbed.Eventually(t, 20*time.Second, "both let it in", func(ctx context.Context) bool {
		return nc.IsConnected() && client.Ping(ctx).Err() == nil
	})
}

func TestDatabaseTLSSettings(t *testing.T) {
	files := tlsFiles{CA: "/etc/it's/ca.pem", Cert: "/c.pem", Key: "/k.pem"}
	for raw, want := range map[string]string{
		"postgres://u:p@h/db":                     "postgres://u:p@h/db?sslcert=%2Fc.pem&sslkey=%2Fk.pem&sslmode=verify-full&sslrootcert=%2Fetc%2Fit%27s%2Fca.pem",
		"postgres://u:p@h/db?sslmode=verify-ca":   "postgres://u:p@h/db?sslcert=%2Fc.pem&sslkey=%2Fk.pem&sslmode=verify-ca&sslrootcert=%2Fetc%2Fit%27s%2Fca.pem",
		"postgres://u:p@h/db?sslmode=disable":     "",
		"host=h user=u sslmode=prefer":            "",
		"postgres://u:p@h/db?sslmode=prefer&a=b":  "",
		"postgres://u:p@h/db?sslmode=verify-full": "postgres://u:p@h/db?sslcert=%2Fc.pem&sslkey=%2Fk.pem&sslmode=verify-full&sslrootcert=%2Fetc%2Fit%27s%2Fca.pem",
	} {
		if got, err := withTLSFiles(raw, files); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v, want %s", raw, got, err, want)
		}
	}
	got, err := withTLSFiles("host=h user=u", files)
	if err != nil || !strings.Contains(got, `sslrootcert='/etc/it\'s/ca.pem'`) || !strings.Contains(got, "sslmode='verify-full'") {
		t.Errorf("%s, %v", got, err)
	}
	if got, err = withTLSFiles("postgres://u:p@h/db?sslmode=disable", tlsFiles{}); err != nil || !strings.HasSuffix(got, "disable") {
		t.Errorf("without files: %s, %v", got, err)
	}
}

// PostgreSQL behind TLS: the server is checked, and so is the client.
func TestTLSToPostgreSQL(t *testing.T) {
	authority, stranger := testbed.NewAuthority(t), testbed.NewAuthority(t)
	real, err := url.Parse(testbed.DatabaseURL(t))
	if err != nil {
		t.Fatal(err)
	}
	client, unknown := authority.Issue("client"), stranger.Issue("client")
	for _, mutual := range []bool{false, true} {
		at := *real
		at.Host, at.RawQuery = testbed.StartDatabaseTLS(t, real.Host, authority.Server(authority.Issue("server"), mutual)), ""
		for who, c := range map[string]struct {
			files tlsFiles
			let   bool
		}{
			"with the authority":         {tlsFiles{CA: authority.File}, !mutual},
			"with a certificate":         {tlsFiles{CA: authority.File, Cert: client.Cert, Key: client.Key}, true},
			"with another authority":     {tlsFiles{CA: stranger.File, Cert: client.Cert, Key: client.Key}, false},
			"with another's certificate": {tlsFiles{CA: authority.File, Cert: unknown.Cert, Key: unknown.Key}, !mutual},
		} {
			full, err := withTLSFiles(at.String(), c.files)
			if err != nil {
				t.Fatal(err)
			}
			watch, err := newDatabaseWatch(t.Context(), full)
			if err != nil {
				t.Fatal(err)
			}
			if err := watch.ping(t.Context()); (err == nil) != c.let {
				t.Errorf("mutual %v, %s: %v, let in should be %v", mutual, who, err, c.let)
			}
			watch.pool.Close()
		}
	}
}
