package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

func secretIn(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretsComeFromFiles(t *testing.T) {
	t.Setenv("REDIS_URL", "")
	t.Setenv("REDIS_URL_FILE", secretIn(t, " redis://:hunter2@x:1/db\n"))
	code, _, stderr := tickstream(t, "sim")
	if want := "--redis (REDIS_URL) redis://xxxxx@x:1/db: what follows the host is no number of a database"; code != exitUsage || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, standard error is %q, want %q", code, stderr, want)
	}
	for want, set := range map[string]func(){
		"REDIS_URL_FILE (/nowhere/secret) cannot be read: no such file":    func() { t.Setenv("REDIS_URL_FILE", "/nowhere/secret") },
		"is empty: put the value into the file, or leave the variable out": func() { t.Setenv("REDIS_URL_FILE", secretIn(t, "\n")) },
		"is too long: at most 1048576 bytes":                               func() { t.Setenv("REDIS_URL_FILE", secretIn(t, strings.Repeat("hunter2", 1<<18))) },
		"REDIS_URL and REDIS_URL_FILE are both set: leave one out": func() {
			t.Setenv("REDIS_URL_FILE", secretIn(t, "redis://hunter2@x"))
			t.Setenv("REDIS_URL", "redis://x")
		},
		"TICKSTREAM_HTTP_TOKEN_FILE (/nowhere/token) cannot be read: no su": func() { t.Setenv("TICKSTREAM_HTTP_TOKEN_FILE", "/nowhere/token") },
	} {
		t.Setenv("REDIS_URL", "")
		t.Setenv("REDIS_URL_FILE", "")
		t.Setenv("TICKSTREAM_HTTP_TOKEN_FILE", "")
		set()
		code, _, stderr := tickstream(t, "health")
		if code != exitUsage || !strings.Contains(stderr, want) || strings.Contains(stderr, "hunter2") || len(lines(stderr)) != 1 {
			t.Errorf("exit code %d, standard error is %q, want %q", code, stderr, want)
		}
	}
}

func TestShownSecrets(t *testing.T) {
	for line, want := range map[string][]string{
		"bridge --nats nats://u:p@h --redis=redis://:p@h":                 {"nats", "redis"},
		"bridge -nats nats://token@h":                                     {"nats"},
		"up --nats h,u:p@i":                                               {"nats"},
		"bridge --redis redis://user@h --nats nats://h":                   nil,
		"bridge --redis redis+sentinel://h/m?sentinel_password=p":         {"redis"},
		"pipeline --database postgres://u@h/db":                           nil,
		"pipeline --database host=h password=p":                           nil, // two arguments: the second is nobody's
		"pipeline --database=postgres://u:p@h/db":                         {"database"},
		"pipeline --database=postgres://h/db?password=p":                  {"database"},
		"health --http-token x":                                           {"http-token"},
		"replay --to-nats nats://u:p@h --redis":                           {"to-nats"},
		"nats nats://u:p@h":                                               nil,
		"health --universe u:p@h --nats-creds /etc/creds --nats nats://h": nil,
	} {
		if got := shownSecrets(strings.Fields(line)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// startLockedNATS runs a server with JetStream that lets only user in.
func startLockedNATS(t *testing.T, password string) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		Username: "user", Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats server is not ready after 10s")
	}
	return s
}

// spilled is all that a system says of itself, by way of which a secret could
// get out.
type spilled struct{ strings.Builder }

func (s *spilled) http(t *testing.T, base, token string) {
	for _, path := range []string{"", "health", "healthz", "readyz", "metrics", "debug/pprof/cmdline", "debug/pprof/", "debug/vars", "nothing"} {
		for _, given := range []string{"", token} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+given)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			s.Write(body)
			if err := response.Header.Write(s); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// streams adds every message of every stream and bucket.
func (s *spilled) streams(t *testing.T, url string) (messages int) {
	nc, err := dialNATS(natsConfig{URL: url}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	names := js.StreamNames(t.Context())
	for name := range names.Name() {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for seq := stream.CachedInfo().State.FirstSeq; seq <= stream.CachedInfo().State.LastSeq; seq++ {
			if msg, err := stream.GetMsg(t.Context(), seq); err == nil { // some are gone
				messages++
				s.WriteString(msg.Subject)
				s.Write(msg.Data)
			}
		}
	}
	return messages
}

// Passwords and the token go in by every way, right ones and wrong ones, and
// come out by none: logs at their most talkative, errors, pages, events, keys,
// help.
func TestSecretsShowNowhere(t *testing.T) {
	const (
		natsSecret, redisSecret, databaseSecret, tokenSecret = "hunter2-nats", "hunter2-redis", "hunter2-database", "hunter2-the-http-token"
	)
	nats := startLockedNATS(t, natsSecret)
	redis := miniredis.RunT(t)
	redis.RequireUserAuth("user", redisSecret)
	natsAt, redisAt := "@"+nats.Addr().String(), "@"+redis.Addr()
	// Nothing listens there: the driver tells of each attempt.
	const databaseURL = "postgres://user:" + databaseSecret + "@127.0.0.1:1/tickstock?sslmode=disable"
	common := []string{"--spool", t.TempDir(), "--session", "always"}
	var all spilled
	check := func(t *testing.T, what string) {
		t.Helper()
		text := all.String()
		if at := strings.Index(text, "hunter2"); at >= 0 {
			t.Errorf("%s: a secret is shown: …%s…", what, text[max(0, at-100):min(len(text), at+60)])
		}
		all.Reset()
	}
	collect := func(c *command) {
		all.WriteString(c.stdout.String())
		all.WriteString(c.stderr.String())
	}

	// Right ones from files, as Docker gives them.
	natsURL := "nats://user:" + natsSecret + natsAt
	t.Run("files", func(t *testing.T) {
		t.Setenv("NATS_URL_FILE", secretIn(t, natsURL))
		t.Setenv("REDIS_URL_FILE", secretIn(t, "redis://user:"+redisSecret+redisAt))
		t.Setenv("DATABASE_URL_FILE", secretIn(t, databaseURL))
		t.Setenv("TICKSTREAM_HTTP_TOKEN_FILE", secretIn(t, tokenSecret))
		up := start(t, "", append([]string{"--log-level", "debug", "--log-format", "json", "up", "--sim", "--http", "127.0.0.1:0"}, common...)...)
		up.shows(t, "Dashboard")
		base := firstURL(t, up.stdout.String())
		testbed.Eventually(t, 30*time.Second, "health goes out, and the database is missed", func(context.Context) bool {
			log := up.stderr.String()
			return strings.Contains(log, "Published health update") && strings.Contains(log, "127.0.0.1:1")
		})
		all.http(t, base, tokenSecret)
		doctor := start(t, "", "doctor", "--json")
		doctor.wait(t)
		collect(doctor)
		if n := all.streams(t, natsURL); n < 20 {
			t.Errorf("only %d messages were looked at", n)
		}
		all.WriteString(redis.Dump())
		for _, name := range []string{"up", "health", "bridge", "pipeline", "doctor", "replay"} {
			help := start(t, "", name, "--help")
			help.wait(t)
			collect(help)
		}
		up.stop()
		up.wait(t)
		collect(up)
		if strings.Contains(up.stderr.String(), "on the command line") {
			t.Error("a secret from a file counts as one of the command line")
		}
		check(t, "from files")
	})

	// Wrong ones on the command line, which is warned of.
	wrong := []string{
		"--nats", "nats://user:hunter2-wrong" + natsAt, "--redis", "redis://user:hunter2-wrong" + redisAt,
		"--database", databaseURL,
	}
	t.Run("wrong", func(t *testing.T) {
		up := start(t, "", slices.Concat([]string{"--log-level", "debug", "up", "--http", "127.0.0.1:0", "--http-token", tokenSecret}, wrong, common)...)
		up.shows(t, "Dashboard")
		testbed.Eventually(t, 30*time.Second, "each server is complained of, and the command line", func(context.Context) bool {
			log := up.stderr.String()
			return strings.Contains(log, "Authorization Violation") && strings.Contains(log, "WRONGPASS") &&
				strings.Contains(log, "--http-token") && strings.Contains(log, "DATABASE_URL_FILE")
		})
		all.http(t, firstURL(t, up.stdout.String()), tokenSecret)
		up.stop()
		up.wait(t)
		collect(up)
		for _, args := range [][]string{
			append([]string{"doctor"}, wrong...), append([]string{"doctor", "--json"}, wrong...),
			{"session", "show", wrong[0], wrong[1]}, {"replay", wrong[0], wrong[1]},
			{"sim", "--count", "1", "--redis", "redis://user:hunter2-wrong@127.0.0.1:x"}, {"health", "--database", "postgres://u:hunter2@h:x"},
			{"bridge", "--nats", "nats://u:hunter2@h:x"}, {"health", "--http-token", "hunter2"}, {"health", "--http-tok", "hunter2"[:2]},
			{"pipeline", "--database", "password=hunter2 host=h port=x"}, {"replay", "--nats", "nats://127.0.0.1:1", "--to-nats", wrong[1]},
		} {
			c := start(t, "", args...)
			if c.wait(t) == exitOK {
				t.Errorf("%q succeeds with a wrong password", args)
			}
			collect(c)
		}
		watch := start(t, "", append([]string{"--log-level", "debug", "watch"}, wrong[:2]...)...) // for ever
		testbed.Eventually(t, 15*time.Second, "watch complains", func(context.Context) bool {
			return strings.Contains(watch.stderr.String(), "Authorization Violation")
		})
		watch.stop()
		watch.wait(t)
		collect(watch)
		check(t, "wrong ones")
	})
}

// firstURL is the status page's, as the banner tells it.
func firstURL(t *testing.T, banner string) string {
	t.Helper()
	for word := range strings.FieldsSeq(banner) {
		if strings.HasPrefix(word, "http://") {
			return word
		}
	}
	t.Fatalf("no URL in %q", banner)
	return ""
}
