package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// promtoolEnv names the promtool that reads rules as Prometheus does; without it
// they are not tried.
const promtoolEnv = "TICKSTREAM_TEST_PROMTOOL"

// rule is one alert.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no alert")
	}
	return all
}

// Each alert says how grave it is and what it means, is explained in README, and
// has a test of its own.
func TestAlertsAreExplained(t *testing.T) {
	tests := read(t, "prometheus/alerts_test.yml")
	var explained []string
	for _, match := range regexp.MustCompile(`(?m)^\| \x60(Tickstream\w+)\x60 \| [^|]{10,} \| [^|]{10,} \| [^|]{10,} \|$`).FindAllStringSubmatch(read(t, "../README.md"), -1) {
		explained = append(explained, match[1])
	}
	var names []string
	for _, r := range alerts(t) {
		names = append(names, r.Alert)
		if severity := r.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: the severity is %q", r.Alert, severity)
		}
		if r.Annotations["summary"] == "" || !strings.HasSuffix(r.Annotations["runbook_url"], "#alerts") {
			t.Errorf("%s: the annotations are %v", r.Alert, r.Annotations)
		}
		if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
			t.Errorf("%s: for %s", r.Alert, r.For)
		}
		if strings.Count(tests, "alertname: "+r.Alert+"\n") == 0 || strings.Count(tests, "alertname: "+r.Alert+" }") == 0 {
			t.Errorf("%s: alerts_test.yml does not say when it fires and when it does not", r.Alert)
		}
	}
	if !slices.Equal(explained, names) {
		t.Errorf("README explains\n%v\nand the alerts are\n%v", explained, names)
	}
}

// An alert on an issue that health does not know would never fire.
func TestAlertsAreOnIssuesOfHealth(t *testing.T) {
	known := read(t, "../health/observe/verdict.go") + read(t, "../health/issue.go")
	found := 0
	for _, r := range alerts(t) {
		for _, match := range regexp.MustCompile(`code=~?"([^"]+)"`).FindAllStringSubmatch(r.Expr, -1) {
			for code := range strings.SplitSeq(match[1], "|") {
				found++
				if !strings.Contains(known, fmt.Sprintf("= %q\n", code)) {
					t.Errorf("%s: health has no issue %s", r.Alert, code)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no alert is on an issue")
	}
}

// panel is one of Grafana's.
type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct {
		W, X int
	} `json:"gridPos"`
	Targets []struct {
		Expr       string `json:"expr"`
		RefID      string `json:"refId"`
		Datasource struct {
			UID string `json:"uid"`
		} `json:"datasource"`
	} `json:"targets"`
}

func panels(t *testing.T) []panel {
	t.Helper()
	var board struct {
		Title  string  `json:"title"`
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, "grafana/tickstream.json")), &board); err != nil {
		t.Fatal(err)
	}
	if board.Title == "" || len(board.Panels) < 10 {
		t.Fatalf("%q has %d panels", board.Title, len(board.Panels))
	}
	return board.Panels
}

func TestGrafanaTakesTheDashboard(t *testing.T) {
	ids := map[int]bool{}
	for _, p := range panels(t) {
		if ids[p.ID] {
			t.Errorf("%s: the id %d is another's", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 || p.Title == "" || (p.Type != "row") != (len(p.Targets) > 0) {
			t.Errorf("%s: %+v", p.Title, p)
		}
		for _, target := range p.Targets {
			if target.Expr == "" || target.RefID == "" || target.Datasource.UID != "${datasource}" {
				t.Errorf("%s: %+v", p.Title, target)
			}
		}
	}
}

// Prometheus itself reads the rules and the queries of the dashboard, and the
// alerts fire when they are to.
func TestPrometheusTakesTheAlerts(t *testing.T) {
	promtool := os.Getenv(promtoolEnv)
	if promtool == "" {
		t.Skip("set " + promtoolEnv + " to promtool, of Debian's prometheus")
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = "prometheus"
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, said)
		}
	}
	run("check", "rules", "alerts.yml")
	run("test", "rules", "alerts_test.yml")

	var queries []map[string]string
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			queries = append(queries, map[string]string{"record": fmt.Sprintf("panel_%d_%s", p.ID, target.RefID), "expr": target.Expr})
		}
	}
	file, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": queries}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	run("check", "rules", path)
}
