package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
	"github.com/urfave/cli/v3"
)

// keyValues reads lines of NAME=VALUE.
func keyValues(text []byte) map[string]string {
	values := map[string]string{}
	for _, line := range lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			values[name] = value
		}
	}
	return values
}

// environment is what Kubernetes gives to a container; the secrets are the
// example's.
func (c container) environment(t *testing.T) map[string]string {
	t.Helper()
	env, secrets := keyValues(readFile(t, "settings.env")), keyValues(readFile(t, "secrets.env.example"))
	for _, e := range c.Env {
		env[e.Name] = e.Value
		if key := e.ValueFrom.Secret.Key; key != "" {
			value, ok := secrets[key]
			if !ok {
				t.Errorf("%s: secrets.env.example has no %s", c.Name, key)
			}
			env[e.Name] = value
		}
	}
	return env
}

// variables are those that a command and the ones above it read.
func variables(cmd *cli.Command) []string {
	var names []string
	for _, f := range cmd.Flags {
		if documented, ok := f.(cli.DocGenerationFlag); ok {
			names = append(names, documented.GetEnvVars()...)
		}
	}
	return names
}

// What the manifests set is known to the binary, and can be used.
func TestManifestsSetWhatRolesTake(t *testing.T) {
	root := newRoot(nil, io.Discard, io.Discard)
	known := map[string][]string{}
	var all []string
	for _, role := range []string{"bridge", "pipeline", "health"} {
		known[role] = slices.Concat(variables(root), variables(root.Command(role)))
		all = slices.Concat(all, known[role])
	}
	for name := range keyValues(readFile(t, "settings.env")) {
		if !slices.Contains(all, name) {
			t.Errorf("settings.env: no role takes %s", name)
		}
	}
	for _, w := range workloads(t) {
		for _, c := range w.Spec.Template.Spec.Containers {
			role := c.Args[0]
			for _, e := range c.Env {
				if !slices.Contains(known[role], e.Name) {
					t.Errorf("%s does not take %s", role, e.Name)
				}
			}
			t.Run(role, func(t *testing.T) {
				for name, value := range c.environment(t) {
					t.Setenv(name, value)
				}
				code, stdout, stderr := tickstream(t, append([]string{"config", "check"}, c.Args...)...)
				if code != exitOK || !strings.Contains(stdout, "can be used") {
					t.Errorf("exit code %d: %s", code, stderr)
				}
			})
		}
	}
}

// The policies let each role reach its servers.
func TestPoliciesLetRolesReachTheirServers(t *testing.T) {
	policies := manifests(t)["NetworkPolicy"]
	for _, w := range workloads(t) {
		i := slices.IndexFunc(policies, func(m manifest) bool { return m.Metadata.Name == w.Metadata.Name })
		if i < 0 {
			t.Fatalf("%s has no policy", w.Metadata.Name)
		}
		open := map[string]bool{}
		for _, to := range policies[i].Spec.Egress {
			for _, p := range to.Ports {
				open[p.Protocol+p.Port] = true
			}
		}
		want := map[string]bool{"UDP53": true, "TCP53": true}
		for name, value := range w.Spec.Template.Spec.Containers[0].environment(t) {
			if !strings.HasSuffix(name, "_URL") {
				continue
			}
			server, err := url.Parse(value)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want["TCP"+server.Port()] = true
		}
		for port := range want {
			if !open[port] {
				t.Errorf("%s cannot reach %s", w.Metadata.Name, port)
			}
		}
		for port := range open {
			if !want[port] {
				t.Errorf("%s may reach %s, where it has nothing to do", w.Metadata.Name, port)
			}
		}
	}
}

// A probe fails without the role and passes with it, run as its manifest says,
// on servers of the test. What hangs on a server outside of the pod must not
// have it killed: a bridge would lose what it holds for NATS.
func TestProbesTellWhetherRolesRun(t *testing.T) {
	for _, w := range workloads(t) {
		c := w.Spec.Template.Spec.Containers[0]
		t.Run(c.Args[0], func(t *testing.T) {
			if c.Startup == nil || c.Readiness == nil {
				t.Fatal("a probe is missing")
			}
			if c.Liveness != nil && (c.Liveness.HTTP == nil || c.Liveness.HTTP.Path != "/healthz") {
				t.Errorf("the liveness probe %+v asks for more than the process", c.Liveness)
			}
			s, address := startTestServers(t), ""
			for name, value := range c.environment(t) {
				switch {
				case name == "NATS_URL":
					value = s.nats.URL()
				case name == "REDIS_URL":
					value = s.redis.URL
				case name == "DATABASE_URL":
					value = "" // the role runs without
				case name == "TICKSTREAM_REPLICAS":
					value = "1" // the test's NATS is alone
				case name == "TICKSTREAM_SPOOL":
					value = t.TempDir()
				case strings.HasSuffix(name, "_HTTP"):
					c.expectPort(t, value)
					value = freeAddress(t)
					address = value
				}
				t.Setenv(name, value)
			}
			t.Setenv("TICKSTREAM_REDIS_NAMESPACE", s.namespace())
			var probes []*probe
			for _, p := range []*probe{c.Startup, c.Readiness, c.Liveness} {
				if p != nil {
					probes = append(probes, p)
				}
			}
			for _, p := range probes {
				if p.passes(t, address) {
					t.Errorf("%+v passes although nothing runs", p)
				}
			}
			role := start(t, "", c.Args...)
			for _, p := range probes {
				testbed.Eventually(t, 30*time.Second, "a probe passes", func(context.Context) bool { return p.passes(t, address) })
			}
			role.stop() // before its folder is removed
			if code := role.wait(t); code != exitOK {
				t.Errorf("it ends with %d", code)
			}
		})
	}
}

// passes runs a probe as Kubernetes does: on the address of the role, without a
// token.
func (p *probe) passes(t *testing.T, address string) bool {
	t.Helper()
	if p.HTTP == nil {
		if len(p.Exec.Command) == 0 || p.Exec.Command[0] != "/tickstream" { // where the Dockerfile puts it
			t.Fatalf("the probe runs %q", p.Exec.Command)
		}
		code, _, stderr := tickstream(t, p.Exec.Command[1:]...)
		if code != exitOK && code != exitUnwell {
			t.Fatalf("%q ends with %d: %s", p.Exec.Command, code, stderr)
		}
		return code == exitOK
	}
	response, err := http.Get("http://" + address + p.HTTP.Path) //nolint:noctx // loopback
	if err != nil {
		return false
	}
	_ = response.Body.Close() // only the status counts
	return response.StatusCode == http.StatusOK
}

// expectPort compares the address that the role listens on with the port that
// the probes ask at.
func (c container) expectPort(t *testing.T, address string) {
	t.Helper()
	for _, p := range []*probe{c.Startup, c.Readiness, c.Liveness} {
		if p == nil || p.HTTP == nil {
			continue
		}
		found := false
		for _, port := range c.Ports {
			found = found || (port.Name == p.HTTP.Port || strconv.Itoa(port.ContainerPort) == p.HTTP.Port) &&
				strings.HasSuffix(address, ":"+strconv.Itoa(port.ContainerPort))
		}
		if !found {
			t.Errorf("a probe asks at port %s, the role listens on %s", p.HTTP.Port, address)
		}
	}
}
