package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
)

var servedURL = regexp.MustCompile(`url=(http://[\d.:]+/)metrics`)

// askHTTP asks a role by HTTP; code 0 is one that does not answer.
func askHTTP(ctx context.Context, url string) (code int, body string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(all)
}

// value of a metric without labels; -1 where it is not there.
func value(body, name string) float64 {
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64); err == nil {
				return v
			}
		}
	}
	return -1
}

// served waits until a role says where its metrics are.
func (c *command) served(t *testing.T) string {
	t.Helper()
	testbed.Eventually(t, 30*time.Second, "the address of the metrics", func(context.Context) bool { return servedURL.MatchString(c.stderr.String()) })
	return servedURL.FindStringSubmatch(c.stderr.String())[1]
}

func awaitProbe(t *testing.T, url string, want int, says string) {
	t.Helper()
	testbed.Eventually(t, 30*time.Second, fmt.Sprintf("%s to answer %d %q", url, want, says), func(ctx context.Context) bool {
		code, body := askHTTP(ctx, url)
		return code == want && strings.Contains(body, says)
	})
}

func TestRolesTellOfThemselves(t *testing.T) {
	s := startTestServers(t)
	bridge := start(t, "", s.with("bridge", "--http", "127.0.0.1:0", "--spool", "off")...)
	pipeline := start(t, "", "pipeline", "--nats", s.nats.URL(), "--http", "127.0.0.1:0")
	ofBridge, ofPipeline := bridge.served(t), pipeline.served(t)
	for _, url := range []string{ofBridge, ofPipeline} {
		awaitProbe(t, url+"readyz", 200, "ok")
		awaitProbe(t, url+"healthz", 200, "ok")
	}
	before := time.Now().Add(-3 * time.Minute)
	for i := range 3 { // the second and the third close the bars of those before
		payload := fmt.Sprintf(`{"symbol":"AAPL","price":%d.5,"volume":1,"timestamp":%d.0}`, 100+i, before.Add(time.Duration(i)*time.Minute).Unix())
		if err := s.redis.Client().Publish(t.Context(), s.redis.Channels.Ticks, payload).Err(); err != nil {
			t.Fatal(err)
		}
	}
	testbed.Eventually(t, 30*time.Second, "the bridge to count what it stored", func(ctx context.Context) bool {
		_, body := askHTTP(ctx, ofBridge+"metrics")
		return value(body, "tickstream_bridge_ticks_stored_total") == 3 && value(body, "tickstream_bridge_subscribed") == 1
	})
	testbed.Eventually(t, 30*time.Second, "the pipeline to count what it stored", func(ctx context.Context) bool {
		_, body := askHTTP(ctx, ofPipeline+"metrics")
		return value(body, "tickstream_pipeline_bars_stored_total") >= 2 && value(body, "tickstream_pipeline_owned_partitions") == 8 &&
			value(body, `tickstream_pipeline_result_delay_seconds_count{stream="BARS"}`) >= 1
	})
	// Without NATS both live on, and say that they are not connected.
	s.nats.Stop()
	for _, url := range []string{ofBridge, ofPipeline} {
		testbed.Eventually(t, 30*time.Second, "the lost connection", func(ctx context.Context) bool {
			_, body := askHTTP(ctx, url+"metrics")
			return value(body, "tickstream_nats_connected") == 0
		})
		awaitProbe(t, url+"healthz", 200, "ok")
	}
}

func TestRoleIsNotReadyBeforeItsServersAre(t *testing.T) {
	s := startTestServers(t)
	ofBoth := [][]string{s.with("bridge", "--http", "127.0.0.1:0", "--spool", "off"), {"pipeline", "--nats", s.nats.URL(), "--http", "127.0.0.1:0"}}
	s.nats.Stop()
	bridge, pipeline := start(t, "", ofBoth[0]...), start(t, "", ofBoth[1]...)
	ofBridge, ofPipeline := bridge.served(t), pipeline.served(t)
	awaitProbe(t, ofBridge+"readyz", 503, "TICKS is not there yet")
	awaitProbe(t, ofPipeline+"readyz", 503, "TICKS is not there yet")
	s.nats.Start()
	awaitProbe(t, ofBridge+"readyz", 200, "ok")
	awaitProbe(t, ofPipeline+"readyz", 200, "ok")
}

func TestRolesServeNothingWhereTheyAreNotTo(t *testing.T) {
	s := startTestServers(t)
	c := start(t, "", s.with("bridge", "--http", "off", "--spool", "off")...)
	s.awaitIn(t)
	if strings.Contains(c.stderr.String(), "metrics and probes are served") {
		t.Errorf("it serves: %s", &c.stderr)
	}
	for setting, want := range map[string]string{
		"0.0.0.0:0": "TICKSTREAM_BRIDGE_HTTP", "9000": "host:port", s.redis.Client().Options().Addr: "cannot be listened on",
	} {
		code, _, stderr := tickstream(t, s.with("bridge", "--spool", "off", "--http", setting)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("--http %s: exit code %d, %s", setting, code, stderr)
		}
	}
}

// awaitIn waits until a bridge is present.
func (s *testServers) awaitIn(t *testing.T) {
	t.Helper()
	testbed.Eventually(t, 30*time.Second, "a bridge that reads", func(ctx context.Context) bool {
		n, err := s.redis.Client().PubSubNumSub(ctx, s.redis.Channels.Ticks).Result()
		return err == nil && n[s.redis.Channels.Ticks] > 0
	})
}
