package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/soak"
)

// A soak with one kind of fault runs to its end, tells what it did, and finds
// nothing wrong; the short form of all kinds is a stage of its own.
func TestSoakRuns(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(mainEnv, "1") // its processes are this binary
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	c := start(t, "", "bench", "soak", "--short", "--rate", "300", "--ticks", "1000", "--faults", "1", "--only", "kill -9: leading bridge", "--dir", dir, "--json")
	select {
	case code := <-c.code:
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, &c.stderr)
		}
	case <-time.After(3 * time.Minute):
		t.Fatal("not done")
	}
	var report soak.Report
	if err := json.NewDecoder(strings.NewReader(c.stdout.String())).Decode(&report); err != nil {
		t.Fatal(err)
	}
	if !report.OK() || report.Total.Injected != 1 || report.Total.Published < 40_000 || report.Stored != report.Total.Published || report.Bars == 0 {
		t.Errorf("%+v", report)
	}
}

func TestSoakRefusesSettings(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"bench soak --rate 1", "rate"},
		{"bench soak --only nothing", `--only (TICKSTREAM_BENCH_SOAK_ONLY) is "nothing"`},
		{"bench soak --own-database --database postgres://x@127.0.0.1/x", "exclude each other"},
		{"bench soak --dir /", "is not an empty folder"},
	} {
		if code, _, stderr := tickstream(t, strings.Fields(c.args)...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d: %s", c.args, code, stderr)
		}
	}
}
