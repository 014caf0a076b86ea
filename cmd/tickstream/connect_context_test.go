package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// contexts are the nats CLI's, in a folder of the test.
func contexts(t *testing.T, contents map[string]string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	folder := filepath.Join(home, "nats", "context")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range contents {
		if err := os.WriteFile(filepath.Join(folder, name+".json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// cliContext is what `nats context add` writes.
const cliContext = `{
  "description": "production",
  "url": "%s",
  "socks_proxy": "",
  "token": "",
  "user": "%s",
  "password": "%s",
  "creds": "",
  "nkey": "%s",
  "cert": "",
  "key": "",
  "ca": "",
  "nsc": "",
  "jetstream_domain": "",
  "jetstream_api_prefix": "",
  "jetstream_event_prefix": "",
  "inbox_prefix": "",
  "user_jwt": "",
  "user_seed": "",
  "color_scheme": "",
  "tls_first": false,
  "windows_cert_store": "",
  "windows_cert_match_by": "",
  "windows_cert_match": "",
  "windows_ca_certs_match": null
}`

func TestContextConnects(t *testing.T) {
	public, seed := newNKey(t)
	const password = "p@ss:/?#x" // which a URL must not take apart
	url := runNATS(t, &server.Options{
		JetStream: true,
		Users:     []*server.User{{Username: "ann", Password: password}},
		Nkeys: []*server.NkeyUser{{Nkey: public, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{stream.HealthStatus, "$JS.API.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.bridge.>"}},
		}}},
	})
	token := runNATS(t, &server.Options{Authorization: "sesame"})
	contexts(t, map[string]string{
		"ann":   fmt.Sprintf(cliContext, url, "ann", password, ""),
		"key":   fmt.Sprintf(cliContext, url, "", "", "$SEED_FOLDER/"+filepath.Base(seed)),
		"token": `{"url":"` + strings.TrimPrefix(token, "nats://") + `","token":"sesame","unknown":1}`,
	})
	t.Setenv("SEED_FOLDER", filepath.Dir(seed))
	for _, name := range []string{"ann", "key", "token"} {
		cfg, err := contextConfig(name)
		if err != nil {
			t.Fatal(err)
		}
		nc, err := dialNATS(cfg, "test")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if inbox := nc.NewRespInbox(); name == "ann" && !strings.HasPrefix(inbox, "_INBOX.ann.") {
			t.Errorf("the inbox is %s", inbox)
		}
		nc.Close()
	}
	code, stdout, stderr := tickstream(t, "session", "show", "--context", "ann")
	if code != exitFailure || !strings.Contains(stderr, "stream HEALTH") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	t.Setenv("NATS_CONTEXT", "ann")
	if code, _, again := tickstream(t, "session", "show"); code != exitFailure || again != stderr {
		t.Errorf("by the variable: exit code %d: %s", code, again)
	}
	if strings.Contains(stdout+stderr, password) {
		t.Error("the password is shown")
	}
}

func TestContextIsRefusedInOneSentence(t *testing.T) {
	contexts(t, map[string]string{
		"good": `{"url":"nats://127.0.0.1:1"}`, "broken": `{`, "bad-url": `{"url":"http://x"}`,
		"domain": `{"jetstream_domain":"hub"}`, "op": `{"creds":"op://vault/creds"}`, "no-file": `{"creds":"/nowhere/x.creds"}`,
		"half": `{"user_jwt":"x"}`, "no-key": `{"nkey":"/nowhere/seed"}`,
	})
	for _, c := range []struct {
		args, env string
		want      string
	}{
		{"bridge --context none", "", `--context (NATS_CONTEXT) is "none": there is no such context in `},
		{"bridge --context ../x", "", "that is no name of a context"},
		{"bridge --context broken", "", "the context cannot be read"},
		{"bridge --context bad-url", "", `--context bad-url: url http://x: scheme "http": give one of nats`},
		{"bridge --context domain", "", "it has a jetstream_domain, which tickstream does not use"},
		{"bridge --context op", "", "its creds is kept elsewhere (op:…)"},
		{"bridge --context no-file", "", "--context no-file: creds: stat /nowhere/x.creds"},
		{"bridge --context no-key", "", "--context no-key: nkey: "},
		{"bridge --context half", "", "user_jwt and user_seed go together"},
		{"bridge --context good --nats nats://x:4222", "", "--context (NATS_CONTEXT) and --nats (NATS_URL) both say how to reach NATS: leave one out"},
		{"bridge --context good --nats-nkey /dev/null", "", "--context (NATS_CONTEXT) and --nats-nkey (TICKSTREAM_NATS_NKEY) both say how"},
		{"bridge", "NATS_URL=nats://x:4222 NATS_CONTEXT=good", "both say how to reach NATS"},
		{"bridge --context good", "NATS_URL=nats://x:4222", "can be used"},
		{"bridge --nats nats://x:4222", "NATS_CONTEXT=none", "can be used"},
		{"up --context good", "", "can be used"},
	} {
		t.Run(c.args, func(t *testing.T) {
			for setting := range strings.FieldsSeq(c.env) {
				name, value, _ := strings.Cut(setting, "=")
				t.Setenv(name, value)
			}
			code, stdout, stderr := tickstream(t, strings.Fields("config check "+c.args)...)
			if !strings.Contains(stdout+stderr, c.want) || (code == exitOK) != (c.want == "can be used") || strings.Count(stderr, "\n") > 1 {
				t.Errorf("exit code %d: %s%s, want %q", code, stdout, stderr, c.want)
			}
		})
	}
}

// A context takes the place of NATS_URL for a role and for up, which then embeds
// no NATS.
func TestRolesRunByContext(t *testing.T) {
	s := startTestServers(t)
	contexts(t, map[string]string{"here": `{"url":"` + s.nats.URL() + `"}`})
	up := start(t, "", "up", "--context", "here", "--redis", s.redis.URL, "--redis-namespace", s.namespace(), "--spool", "off", "--http", "127.0.0.1:0", "--data", t.TempDir())
	if _, err := asks[healthStatus](t, s.nats.Connect(), "health", "status", ""); err != nil {
		t.Error(err)
	}
	up.stop()
	if code := up.wait(t); code != exitOK || strings.Contains(up.stdout.String(), "(embedded)") {
		t.Errorf("exit code %d", code)
	}
}
