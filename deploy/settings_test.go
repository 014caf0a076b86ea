package deploy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/tickstock/tickstream/pipeline/stream"
)

func TestSyncIntervalIsASetting(t *testing.T) {
	if opts := options(t, "always"); !opts.SyncAlways {
		t.Error("always: fsync does not come before the acknowledgement")
	}
	if opts := options(t, "2m"); opts.SyncAlways || opts.SyncInterval != 2*time.Minute {
		t.Errorf("2m: always is %v, interval is %v", opts.SyncAlways, opts.SyncInterval)
	}
}

func TestMissingPasswordStopsTheServer(t *testing.T) {
	options(t, "2m")
	if err := os.Unsetenv("NATS_HEALTH_PASSWORD"); err != nil { // t.Setenv puts it back
		t.Fatal(err)
	}
	_, err := server.ProcessConfigFile("../nats.conf")
	if err == nil || !strings.Contains(err.Error(), "NATS_HEALTH_PASSWORD") {
		t.Errorf("error is %v, want one that names the variable", err)
	}
}

// Default limits of the streams must fit in the store that nats.conf grants.
func TestStoreHoldsWhatStreamsReserve(t *testing.T) {
	opts := options(t, "2m")
	const reserved = 21 << 30 // TICKS and REJECTS, see stream.Config
	if opts.JetStreamMaxStore < reserved*5/4 {
		t.Errorf("max_file_store is %d, want a quarter above the %d reserved", opts.JetStreamMaxStore, reserved)
	}
	c := connect(t, startServer(t), "operator")
	if _, err := stream.Ensure(t.Context(), c.js, stream.Config{}, quiet); err != nil {
		t.Errorf("ensure with the default limits: %v", err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each variable of nats.conf is set by docker-compose.yml, and each that
// docker-compose.yml requires or takes is in .env.example.
func TestVariablesReachTheServers(t *testing.T) {
	conf, compose, example := read(t, "../nats.conf"), read(t, "../docker-compose.yml"), read(t, "../.env.example")
	uses := regexp.MustCompile(`(?m)^[^#\n"]*:\s*\$([A-Z_]+)|password: \$([A-Z_]+)`)
	found := uses.FindAllStringSubmatch(conf, -1)
	if len(found) < 5 {
		t.Fatalf("found %d variables in nats.conf, want at least 5", len(found))
	}
	for _, match := range found {
		name := match[1] + match[2]
		if !regexp.MustCompile(`(?m)^\s+` + name + `: `).MatchString(compose) {
			t.Errorf("docker-compose.yml does not set %s of nats.conf", name)
		}
	}
	takes := regexp.MustCompile(`(?:^|[^$])\$\{([A-Z_]+)`).FindAllStringSubmatch(compose, -1)
	if len(takes) < 6 {
		t.Fatalf("found %d variables in docker-compose.yml, want at least 6", len(takes))
	}
	for _, match := range takes {
		if !regexp.MustCompile(`(?m)^#?` + match[1] + `=`).MatchString(example) {
			t.Errorf(".env.example does not mention %s", match[1])
		}
	}
}
