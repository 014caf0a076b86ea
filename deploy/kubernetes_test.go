package deploy_test

import (
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// probe is one of Kubernetes by HTTP.
type probe struct {
	HTTPGet struct {
		Path, Port string
	} `yaml:"httpGet"`
}

// Kubernetes asks each role at the port that it listens on, which is reached by
// whoever has the token only.
func TestProbesReachTheRoles(t *testing.T) {
	network := read(t, "kubernetes/network.yaml")
	for _, role := range []string{"bridge", "pipeline", "health"} {
		decoder := yaml.NewDecoder(strings.NewReader(read(t, "kubernetes/"+role+".yaml")))
		found := false
		for {
			var object struct {
				Spec struct {
					Template struct {
						Spec struct {
							Containers []struct {
								Args           []string
								Env            []struct{ Name, Value string }
								StartupProbe   probe `yaml:"startupProbe"`
								LivenessProbe  probe `yaml:"livenessProbe"`
								ReadinessProbe probe `yaml:"readinessProbe"`
								Ports          []struct {
									Name          string
									ContainerPort string `yaml:"containerPort"`
								}
							}
						}
					}
				}
			}
			if err := decoder.Decode(&object); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", role, err)
			}
			for _, c := range object.Spec.Template.Spec.Containers {
				found = true
				address, token := "", false
				for _, e := range c.Env {
					if strings.HasSuffix(e.Name, "_HTTP") {
						address = e.Value
					}
					token = token || e.Name == "TICKSTREAM_HTTP_TOKEN"
				}
				if len(c.Args) != 1 || c.Args[0] != role || len(c.Ports) != 1 || c.Ports[0].Name != "http" || address != "0.0.0.0:"+c.Ports[0].ContainerPort || !token {
					t.Errorf("%s: %+v", role, c)
				}
				for path, p := range map[string][]probe{"/healthz": {c.StartupProbe, c.LivenessProbe}, "/readyz": {c.ReadinessProbe}} {
					for _, one := range p {
						if one.HTTPGet.Path != path || one.HTTPGet.Port != "http" {
							t.Errorf("%s: a probe of %s is %+v", role, path, one)
						}
					}
				}
			}
		}
		if !found {
			t.Errorf("%s: no container", role)
		}
		if !strings.Contains(network, "matchLabels: { app.kubernetes.io/name: tickstream-"+role+" } }\n  policyTypes: [Ingress, Egress]\n  ingress:\n    - from: [{ podSelector: {} }]\n") {
			t.Errorf("%s: its port is closed, or open to other namespaces", role)
		}
	}
}
