package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const manifestFolder = "../../deploy/kubernetes"

// manifest is what the tests look at of an object of deploy/kubernetes.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Replicas       int
		Selector       selector
		Template       struct{ Spec pod }
		MaxUnavailable int      `yaml:"maxUnavailable"`
		PodSelector    selector `yaml:"podSelector"`
		PolicyTypes    []string `yaml:"policyTypes"`
		Egress         []egressRule
	}
}

type egressRule struct {
	Ports []struct{ Protocol, Port string }
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type pod struct {
	AutomountServiceAccountToken *bool           `yaml:"automountServiceAccountToken"`
	SecurityContext              securityContext `yaml:"securityContext"`
	Grace                        int             `yaml:"terminationGracePeriodSeconds"`
	InitContainers               []container     `yaml:"initContainers"`
	Containers                   []container
}

type securityContext struct {
	RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
	RunAsUser      int                   `yaml:"runAsUser"`
	SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	Privileged     bool
	Escalation     *bool `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRoot   bool  `yaml:"readOnlyRootFilesystem"`
	Capabilities   struct{ Add, Drop []string }
}

type container struct {
	Name, Image string
	Args        []string
	Env         []struct {
		Name, Value string
		ValueFrom   struct {
			Secret struct{ Name, Key string } `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	}
	SecurityContext securityContext `yaml:"securityContext"`
	Resources       struct{ Requests, Limits map[string]string }
	Startup         *probe `yaml:"startupProbe"`
	Readiness       *probe `yaml:"readinessProbe"`
	Liveness        *probe `yaml:"livenessProbe"`
	Ports           []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
}

type probe struct {
	Exec struct{ Command []string }
	HTTP *struct{ Path, Port string } `yaml:"httpGet"`
}

type kustomization struct {
	Resources          []string
	ConfigMapGenerator []generator `yaml:"configMapGenerator"`
	SecretGenerator    []generator `yaml:"secretGenerator"`
	Images             []struct {
		Name   string
		NewTag string `yaml:"newTag"`
	}
}

type generator struct {
	Name     string
	Envs     []string
	Literals []string
}

func readKustomization(t *testing.T) kustomization {
	t.Helper()
	var k kustomization
	if err := yaml.Unmarshal(readFile(t, "kustomization.yaml"), &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifestFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// manifests are the objects that the kustomization takes, by kind.
func manifests(t *testing.T) map[string][]manifest {
	t.Helper()
	byKind := map[string][]manifest{}
	for _, name := range readKustomization(t).Resources {
		decoder := yaml.NewDecoder(bytes.NewReader(readFile(t, name)))
		for {
			var m manifest
			err := decoder.Decode(&m)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("parse %s: %v", name, err)
			}
			byKind[m.Kind] = append(byKind[m.Kind], m)
		}
	}
	return byKind
}

// workloads are the manifests with pods, one for each role.
func workloads(t *testing.T) []manifest {
	t.Helper()
	byKind := manifests(t)
	all := slices.Concat(byKind["Deployment"], byKind["StatefulSet"], byKind["DaemonSet"], byKind["Job"], byKind["CronJob"])
	var roles []string
	for _, w := range all {
		for _, c := range w.Spec.Template.Spec.Containers {
			roles = append(roles, c.Args[0])
		}
	}
	if slices.Sort(roles); !slices.Equal(roles, []string{"bridge", "health", "pipeline"}) {
		t.Fatalf("the roles are %q", roles)
	}
	return all
}

func TestKustomizationTakesEveryManifest(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(manifestFolder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	k := readKustomization(t)
	for _, file := range files {
		if name := filepath.Base(file); name != "kustomization.yaml" && !slices.Contains(k.Resources, name) {
			t.Errorf("%s is not among the resources", name)
		}
	}
	if len(k.ConfigMapGenerator) != 1 || !slices.Equal(k.ConfigMapGenerator[0].Envs, []string{"settings.env"}) {
		t.Errorf("the settings come from %+v", k.ConfigMapGenerator)
	}
}

func TestImagesArePinned(t *testing.T) {
	tags := map[string]string{}
	for _, image := range readKustomization(t).Images {
		tags[image.Name] = image.NewTag
	}
	version := regexp.MustCompile(`^v?\d+\.\d+\.\d+`)
	for _, w := range workloads(t) {
		for _, c := range slices.Concat(w.Spec.Template.Spec.InitContainers, w.Spec.Template.Spec.Containers) {
			name, tag, _ := strings.Cut(c.Image, ":")
			if pinned := tags[name]; pinned != "" {
				tag = pinned
			}
			if !version.MatchString(tag) && !strings.Contains(c.Image, "@sha256:") {
				t.Errorf("%s: image %s has tag %q, want a version", c.Name, c.Image, tag)
			}
		}
	}
}

func TestPodsAreHardened(t *testing.T) {
	for _, w := range workloads(t) {
		p := w.Spec.Template.Spec
		if s := p.SecurityContext; !s.RunAsNonRoot || s.RunAsUser < 1000 || s.SeccompProfile.Type != "RuntimeDefault" {
			t.Errorf("%s runs as %+v", w.Metadata.Name, s)
		}
		if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
			t.Errorf("%s gets a token of the cluster, which it has no use for", w.Metadata.Name)
		}
		for _, c := range slices.Concat(p.InitContainers, p.Containers) {
			s := c.SecurityContext
			if s.Escalation == nil || *s.Escalation || !s.ReadOnlyRoot || s.Privileged || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) || s.Capabilities.Add != nil {
				t.Errorf("%s of %s may do too much: %+v", c.Name, w.Metadata.Name, s)
			}
			for _, amount := range []string{c.Resources.Requests["cpu"], c.Resources.Requests["memory"], c.Resources.Limits["memory"]} {
				if !regexp.MustCompile(`^\d+(m|Mi|Gi)?$`).MatchString(amount) {
					t.Errorf("%s of %s: resources are %+v", c.Name, w.Metadata.Name, c.Resources)
				}
			}
		}
	}
}

// A node can be drained and a stranger cannot call: each workload has several
// pods, a budget and a policy that name its pods.
func TestWorkloadsHaveBudgetsAndPolicies(t *testing.T) {
	byKind := manifests(t)
	for _, w := range workloads(t) {
		name, pods := w.Metadata.Name, w.Spec.Selector.MatchLabels["app.kubernetes.io/name"]
		if pods == "" || w.Spec.Replicas < 2 {
			t.Errorf("%s: %d pods are selected by %v", name, w.Spec.Replicas, w.Spec.Selector)
		}
		if !slices.ContainsFunc(byKind["PodDisruptionBudget"], func(m manifest) bool {
			return m.Spec.Selector.MatchLabels["app.kubernetes.io/name"] == pods && m.Spec.MaxUnavailable == 1
		}) {
			t.Errorf("%s has no disruption budget", name)
		}
		if !slices.ContainsFunc(byKind["NetworkPolicy"], func(m manifest) bool {
			return m.Spec.PodSelector.MatchLabels["app.kubernetes.io/name"] == pods && slices.Equal(m.Spec.PolicyTypes, []string{"Ingress", "Egress"}) &&
				!slices.ContainsFunc(m.Spec.Egress, func(to egressRule) bool { return len(to.Ports) == 0 })
		}) {
			t.Errorf("%s has no network policy of both directions by ports", name)
		}
	}
}

// Passwords come out of the secret, whose file is not in version control.
func TestManifestsHoldNoSecret(t *testing.T) {
	k := readKustomization(t)
	if len(k.SecretGenerator) != 1 || k.SecretGenerator[0].Literals != nil || !slices.Equal(k.SecretGenerator[0].Envs, []string{"secrets.env"}) {
		t.Errorf("the secrets come from %+v", k.SecretGenerator)
	}
	ignored, err := os.ReadFile("../../.gitignore")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(lines(string(ignored)), "/deploy/kubernetes/secrets.env") {
		t.Error("deploy/kubernetes/secrets.env is not ignored by git")
	}
	if kinds := manifests(t)["Secret"]; len(kinds) > 0 {
		t.Errorf("a Secret lies among the manifests: %+v", kinds)
	}
	secretName := regexp.MustCompile(`(_URL|_TOKEN|_PASSWORD|_CREDS|_NKEY)$`)
	for _, w := range workloads(t) {
		for _, c := range w.Spec.Template.Spec.Containers {
			for _, e := range c.Env {
				if secretName.MatchString(e.Name) && e.ValueFrom.Secret.Name != k.SecretGenerator[0].Name {
					t.Errorf("%s: %s does not come from the secret", c.Name, e.Name)
				}
			}
		}
	}
	for _, line := range lines(string(readFile(t, "settings.env"))) {
		if name, _, _ := strings.Cut(line, "="); secretName.MatchString(name) {
			t.Errorf("settings.env holds %s", name)
		}
	}
	userinfo := regexp.MustCompile(`://[^/\s]*:([^@/\s]+)@`)
	for _, match := range userinfo.FindAllStringSubmatch(string(readFile(t, "secrets.env.example")), -1) {
		if match[1] != "PASSWORD" {
			t.Errorf("secrets.env.example holds the password %q", match[1])
		}
	}
}
