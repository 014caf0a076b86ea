//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
)

// nodeModulesEnv names the variable with the folder of node_modules that holds
// what the README's JavaScript imports.
const nodeModulesEnv = "TICKSTREAM_TEST_NODE_MODULES"

const readmeWithin = time.Minute // for one command, on a busy machine

// notRun are the commands of the README that TestReadme leaves out, with why.
var notRun = []struct{ command, why string }{
	{`^go (test|build) `, "CI does it"},
	{`tickstream bench `, "takes minutes; CI runs the short soak"},
	{`^(make|docker|set -a)|PASSWORD|HTTP_TOKEN"`, "needs docker compose; package deploy tests its users"},
	{`^openssl |--http-cert|https://host`, "needs certificates, which package health/web tests with"},
	{`^npm install`, "CI has installed it"},
	{`^(kubectl|helm|promtool|goreleaser|systemctl) `, "needs another system"},
}

// follows is a command that goes on until it is stopped.
var follows = regexp.MustCompile(`\bnats (sub|stream view)\b|\bSUBSCRIBE\b|tickstream watch\b|tickstream (up|bridge|pipeline|health|sim)\b`)

// expected is what the output of a command shows, where its end with exit code 0
// says too little.
var expected = []struct{ command, output string }{
	{`tickstream up`, `tickstream is up`},
	{`sub .*tickstock\.health\.status|kv get tickstream_health`, `"type":"streaming_health".*"status":"`},
	{`SUBSCRIBE .*trial:streaming:health`, `message\ntickstock:streaming:health\n\{[\s\S]*message\ntrial:streaming:health\n\{|message\ntrial:streaming:health\n\{[\s\S]*message\ntickstock:streaming:health\n\{`},
	{`SUBSCRIBE .*trial:indicators`, `message\ntickstock:indicators:streaming\n\{[\s\S]*message\ntrial:indicators:streaming\n\{`},
	{`MGET`, `^\d+\.\d+\n\d+\.\d+\n$`},
	{`^BARS=`, `the same bars`},
	{`doctor --redis-namespace trial`, `(?s)! AppV2 listens .*trial:streaming:health.*nothing is broken`},
	{`SUBSCRIBE tickstock:streaming:health`, `message\ntickstock:streaming:health\n\{"type":"streaming_health"`},
	{`sub .*tickstock\.bars`, `"type":"bar","symbol":"AAPL","timeframe":"1min"`},
	{`sub .*tickstock\.ticks`, `"symbol": ?"AAPL", ?"price"`},
	{`sub .*tickstock\.signals`, `"symbol":"`},
	{`SUBSCRIBE tickstock:indicators:streaming`, `message\ntickstock:indicators:streaming\n\{"type":"streaming_indicator"`},
	{`SUBSCRIBE tickstock:replay:ticks`, `message\ntickstock:replay:ticks\n\{"`},
	{`watch bars signals alerts`, `"type":"bar"[\s\S]*"indicator"`},
	{`watch( --bus redis.*)?$`, `streaming_health`},
}

// readmeSystem is what the README has running, at other addresses.
type readmeSystem struct {
	up        *command // nil once it has ended
	redis     *testbed.Redis
	env       []string
	addresses *strings.Replacer // of those that the README names
	dir       string
}

// startReadme runs `up` on a Redis of its own and puts what the README calls
// `go run ./cmd/tickstream` on the PATH.
func startReadme(t *testing.T, args ...string) *readmeSystem {
	t.Helper()
	redis, other := testbed.StartOwnRedis(t), testbed.StartNATS(t)
	dashboard := freeAddress(t)
	up := start(t, "", append([]string{"up", "--redis", redis.URL, "--data", t.TempDir(), "--http", dashboard, "--spool", "off", "--health-interval", "1s"}, args...)...)
	r := &readmeSystem{up: up, redis: redis, dir: t.TempDir()}
	t.Cleanup(func() { r.stopUp(t) }) // before its folder is removed
	up.shows(t, "tickstream is up")
	nats := natsURL.FindString(up.stdout.String())

	r.addresses = strings.NewReplacer(
		"go run ./cmd/tickstream", "tickstream", "./tickstream ", "tickstream ", "nats://127.0.0.1:4222", nats, "redis://127.0.0.1:6379", redis.URL,
		"127.0.0.1:8080", dashboard, "nats://other:4222", other.URL())
	bin := t.TempDir()
	script := func(name, text string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script("tickstream", fmt.Sprintf(`%s=1 exec '%s' "$@"`, mainEnv, os.Args[0]))
	if path, err := exec.LookPath("redis-cli"); err == nil {
		script("redis-cli", fmt.Sprintf(`exec %s -u %s "$@"`, path, redis.URL)) // it knows no variable for this
	}
	deploy, err := filepath.Abs("../../deploy")
	if err == nil {
		err = os.Symlink(deploy, filepath.Join(r.dir, "deploy"))
	}
	if err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "NATS_URL="+nats, "REDIS_URL="+redis.URL,
		"HOME="+r.dir, "XDG_CONFIG_HOME="+r.dir, "TICKSTREAM_HEALTH_INTERVAL=1s", "PYTHONUNBUFFERED=1", "NO_COLOR=1")
	return r
}

// stopUp ends the system, once.
func (r *readmeSystem) stopUp(t *testing.T) {
	t.Helper()
	if r.up == nil {
		return
	}
	r.up.stop()
	if code := r.up.wait(t); code != exitOK {
		t.Errorf("up ends with %d", code)
	}
	r.up = nil
}

// feed publishes ticks until the test ends: of AAPL in the last minutes, the first
// ones since minutes ago, so that bars close now, and of others at their time.
func (r *readmeSystem) feed(t *testing.T, minutes int) {
	client := r.redis.Client()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	done.Go(func() { // ends with stop
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			symbol, at := []string{"MSFT", "NVDA"}[n%2], time.Now()
			if n%6 == 5 {
				symbol, at = "AAPL", at.Add(-time.Duration(max(minutes-n/6, 1+n%12/6))*time.Minute)
			}
			tick := fmt.Sprintf(`{"type":"market_tick","symbol":%q,"price":%d.5,"volume":10,"timestamp":%d,"source":"simulated"}`, symbol, 300+n%50, at.Unix())
			if err := client.Publish(ctx, "tickstock:market:ticks", tick).Err(); err != nil && ctx.Err() == nil {
				t.Errorf("publish a tick: %v", err)
			}
			<-ticker.C
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
}

// run runs a command line until it ends, or one that goes on until its output
// shows what is expected.
func (r *readmeSystem) run(t *testing.T, goesOn bool, want, name string, args ...string) {
	t.Helper()
	pattern := regexp.MustCompile(want)
	var stdout, stderr output
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.env, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts is stopped with it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); close(ended) }() // ends when the group is killed, at the latest
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		for range ended {                                   // and writes into folders that are removed next
		}
		if t.Failed() {
			t.Logf("standard output:\n%.4000s\nstandard error:\n%.4000s", &stdout, &stderr)
		}
	}()
	deadline := time.After(readmeWithin)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil || goesOn || !pattern.MatchString(stdout.String()) {
				t.Errorf("ended: %v; the output must match %q", err, want)
			}
			return
		case <-deadline:
			t.Errorf("not within %v: output that matches %q", readmeWithin, want)
			return
		case <-ticker.C:
			if goesOn && stdout.String() != "" && pattern.MatchString(stdout.String()) {
				return
			}
		}
	}
}

// Every command and program of the README runs as it stands there, and shows
// what is said of it.
func TestReadme(t *testing.T) {
	r := startReadme(t, "--sim")
	r.feed(t, 2)
	for _, command := range shellCommands(t) {
		if command.section == trialSection {
			continue // TestReadmeTrial
		}
		t.Run(fmt.Sprintf("line %d", command.line), func(t *testing.T) { r.runCommand(t, command.text) })
	}
	for _, program := range fences(t) {
		text := r.addresses.Replace(program.text)
		switch program.language {
		case "python":
			t.Run(fmt.Sprintf("Python at line %d", program.line), func(t *testing.T) { r.runPython(t, text) })
		case "js":
			t.Run(fmt.Sprintf("JavaScript at line %d", program.line), func(t *testing.T) { r.runJavaScript(t, text) })
		}
	}
}

func (r *readmeSystem) runCommand(t *testing.T, line string) {
	for _, n := range notRun {
		if regexp.MustCompile(n.command).MatchString(line) {
			t.Logf("not run: %s: %s", line, n.why)
			return
		}
	}
	for _, tool := range []string{"nats", "redis-cli", "curl"} {
		if regexp.MustCompile(`(^|[|&] ?)` + tool + ` `).MatchString(line) {
			needs(t, tool)
		}
	}
	want := ``
	for _, e := range expected {
		if regexp.MustCompile(e.command).MatchString(line) {
			want = e.output
			break
		}
	}
	t.Log(line)
	if strings.Contains(line, "--speed") || strings.Contains(line, "--rebuild") {
		t.Parallel() // each takes seconds
	}
	script := r.addresses.Replace(line)
	if strings.Contains(line, "tickstream up") {
		script = "export NATS_URL= REDIS_URL= TICKSTREAM_HTTP=127.0.0.1:0 TICKSTREAM_SPOOL=off TICKSTREAM_DATA=" + t.TempDir() + "; " + script
	}
	goesOn := follows.MatchString(line) && !strings.Contains(line, "--rebuild")
	if strings.Contains(line, "tickstream sim") { // says nothing while all is well
		script, goesOn = script+" & sleep 1; kill $!; wait $!", false
	}
	r.run(t, goesOn, want, "bash", "-c", script)
}

func (r *readmeSystem) runPython(t *testing.T, text string) {
	needs(t, "python3")
	want := `(?m)^tickstock:indicators:streaming \{"type":"streaming_indicator"[\s\S]*^tickstock:streaming:health \{"type":"streaming_health"|` +
		`^tickstock:streaming:health [\s\S]*^tickstock:indicators:streaming \{"type"`
	if strings.Contains(text, `"nats"`) {
		needs(t, "nats")
		want = `(?m)^AAPL \S+Z \d+\.\d+ \d+$`
	} else if out, err := exec.CommandContext(t.Context(), "python3", "-c", "import redis").CombinedOutput(); err != nil {
		t.Skipf("needs Python's redis: %s", out)
	}
	r.run(t, true, want, "python3", "-c", text)
}

func (r *readmeSystem) runJavaScript(t *testing.T, text string) {
	needs(t, "node")
	modules := os.Getenv(nodeModulesEnv)
	if modules == "" {
		t.Skip("needs the packages that " + nodeModulesEnv + " promises")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "readme.mjs")
	err := os.WriteFile(file, []byte(text), 0o600)
	if err == nil {
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`type: 'streaming_health'`, `tickstock\.bars\.1min\.AAPL \{`, `type: 'indicator'`, `tickstock\.ticks\.\d+\.AAPL \{`} {
		r.run(t, true, want, "node", file)
	}
}

// needs skips a test where a tool is missing.
func needs(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("needs %s, which CI installs", tool)
	}
}
