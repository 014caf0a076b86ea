package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// Every benchmark but those that need minutes runs, small, and finds nothing
// wrong.
func TestBenchmarksRun(t *testing.T) {
	t.Setenv(mainEnv, "1") // the children are this binary
	commands := map[string]*command{}
	for _, name := range []string{"ingress", "burst", "latency", "pipeline", "core", "replay", "idle"} {
		commands[name] = start(t, "", "--log-level", "warn", "bench", name, "--json", "--rounds", "1", "--ticks", "2000", "--burst", "3000",
			"--symbols", "7", "--many-symbols", "20", "--rates", "2000", "--duration", "200ms", "--idle", "1s")
	}
	for name, c := range commands {
		select {
		case code := <-c.code:
			if code != exitOK {
				t.Errorf("bench %s: exit code %d: %s", name, code, &c.stderr)
			}
		case <-time.After(3 * time.Minute):
			t.Fatalf("bench %s has not ended: %s", name, &c.stderr)
		}
		var report figure.Report
		if err := json.Unmarshal([]byte(c.stdout.String()), &report); err != nil {
			t.Errorf("bench %s: %v", name, err)
			continue
		}
		checkReport(t, name, &report)
	}
}

// mayBeNothing are figures that are 0 where all is well.
var mayBeNothing = map[string]bool{"lost": true, "cut off by Redis": true, "allocations within a minute": true, "processor": true}

func checkReport(t *testing.T, name string, report *figure.Report) {
	t.Helper()
	if len(report.Parts) != 1 || len(report.Parts[0].Verdicts) == 0 || len(report.Parts[0].Rows) < 2 {
		t.Errorf("bench %s: %+v", name, report)
		return
	}
	for _, row := range report.Parts[0].Rows {
		if len(row.Values) != 1 || !(row.Values[0] > 0) && !mayBeNothing[row.Name] {
			t.Errorf("bench %s: %s is %v", name, row.Name, row.Values)
		}
		for _, use := range row.Uses {
			if !(use.CPU >= 0) || !(use.RSS > 0) && use.Process != "load" {
				t.Errorf("bench %s: %s: %+v", name, row.Name, use)
			}
		}
	}
}

// A NATS that somebody uses is left alone.
func TestBenchRefusesAStoreInUse(t *testing.T) {
	s := startTestServers(t)
	payloads := s.store(t, 3)
	code, _, stderr := tickstream(t, "bench", "ingress", "--nats", s.nats.URL(), "--redis", s.redis.URL)
	if code != exitFailure || !strings.Contains(stderr, "has the stream") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if info, err := s.js.Stream(t.Context(), "TICKS"); err != nil || info.CachedInfo().State.Msgs != uint64(len(payloads)) {
		t.Errorf("TICKS is changed: %v", fmt.Sprint(err))
	}
}
