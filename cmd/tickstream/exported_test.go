package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/redis/go-redis/v9"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

var (
	pageURL    = regexp.MustCompile(`http://[\d.:]+/`)
	redisURL   = regexp.MustCompile(`redis://[\d.:]+`)
	metricName = regexp.MustCompile(`\btickstream_[a-z0-9_]+`)
)

// Whatever the alerts and the Grafana dashboard ask for, up exports; its names
// are conventional, and its numbers move.
func TestUpExportsWhatIsAskedFor(t *testing.T) {
	// Without a session there is an issue at all times, to be exported.
	c, _ := startUp(t, t.TempDir(), "--sim", "--session", "manual", "--spool", "off")
	defer func() {
		c.stop()
		c.wait(t)
	}()
	testbed.Eventually(t, 20*time.Second, "the address of the page", func(context.Context) bool { return pageURL.MatchString(c.stdout.String()) })
	url := pageURL.FindString(c.stdout.String())
	awaitProbe(t, url+"readyz", 200, "ok")

	options, err := redis.ParseURL(redisURL.FindString(c.stdout.String()))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	for _, payload := range []string{
		"no tick",
		// Its minute is over, so its bar is there at once.
		fmt.Sprintf(`{"symbol":"AAPL","price":100.5,"volume":1,"timestamp":%d.0}`, time.Now().Add(-5*time.Minute).Unix()),
	} {
		if err := client.Publish(t.Context(), event.NewChannels(event.DefaultNamespace).Ticks, payload).Err(); err != nil {
			t.Fatal(err)
		}
	}
	exported := map[string]bool{}
	wanted := askedFor(t)
	var first, last string
	testbed.Eventually(t, 60*time.Second, "all names and moving numbers", func(ctx context.Context) bool {
		code, body := askHTTP(ctx, url+"metrics")
		if code != 200 {
			return false
		}
		if value(body, "tickstream_bridge_ticks_stored_total") > 0 && first == "" {
			first = body
		}
		for _, name := range metricName.FindAllString(body, -1) {
			exported[name] = true
		}
		last = body
		for name := range wanted {
			if !exported[name] {
				return false
			}
		}
		return moved(first, last)
	})
	for name := range wanted {
		if !exported[name] {
			t.Errorf("%s is asked for, and nothing exports it", name)
		}
	}
	if !moved(first, last) {
		t.Error("the numbers stand still")
	}
	problems, err := promlint.New(strings.NewReader(last)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "tickstream_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
	if t.Failed() {
		t.Log(last)
	}
}

func moved(before, after string) bool {
	for _, name := range []string{
		"tickstream_bridge_ticks_stored_total", "tickstream_pipeline_messages_consumed_total", "tickstream_health_event_timestamp_seconds",
		`tickstream_bridge_append_duration_seconds_count{stream="TICKS"}`,
	} {
		if value(before, name) < 0 || value(after, name) <= value(before, name) {
			return false
		}
	}
	return value(after, "tickstream_ticks_stored_rate") > 0 && value(after, `tickstream_health_status{status="healthy"}`) >= 0
}

// askedFor are the names in what deploy has for Prometheus and Grafana.
func askedFor(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, path := range []string{"../../deploy/prometheus/alerts.yml", "../../deploy/grafana/tickstream.json"} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := metricName.FindAllString(string(content), -1)
		if len(found) == 0 {
			t.Errorf("%s asks for nothing", path)
		}
		for _, name := range found {
			names[name] = true
		}
	}
	return names
}
