package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/testbed"
)

// span is one as a collector gets it.
type span struct {
	Trace  string `json:"traceId"`
	ID     string `json:"spanId"`
	Parent string `json:"parentSpanId"`
	Name   string `json:"name"`
}

// collector takes traces as OpenTelemetry's does, in JSON.
type collector struct {
	mu    sync.Mutex
	spans []span
	names []string // of the services that sent them
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		ResourceSpans []struct {
			Resource struct {
				Attributes []struct {
					Key   string `json:"key"`
					Value struct {
						StringValue string `json:"stringValue"`
					} `json:"value"`
				} `json:"attributes"`
			} `json:"resource"`
			ScopeSpans []struct {
				Spans []span `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprint(r.URL.Path, err), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.ResourceSpans {
		for _, attribute := range resource.Resource.Attributes {
			if attribute.Key == "service.name" {
				c.names = append(c.names, attribute.Value.StringValue)
			}
		}
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
}

// way is the names of a span and all above it, from the top; nil where one is
// missing.
func (c *collector) way(s span) []string {
	if s.Parent == "" {
		return []string{s.Name}
	}
	for _, above := range c.spans {
		if above.ID == s.Parent && above.Trace == s.Trace {
			if way := c.way(above); way != nil {
				return append(way, s.Name)
			}
		}
	}
	return nil
}

// has tells whether a span came that has this way.
func (c *collector) has(want ...string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.spans, func(s span) bool { return slices.Equal(c.way(s), want) })
}

func TestTraceGoesFromRedisToBars(t *testing.T) {
	traces := &collector{}
	server := httptest.NewServer(traces)
	defer server.Close()
	t.Setenv(otlpEndpoint, server.URL)
	t.Setenv(otlpProtocol, "http/json")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // milliseconds
	s := startTestServers(t)
	start(t, "", s.with("bridge", "--http", "off", "--spool", "off")...)
	start(t, "", "pipeline", "--nats", s.nats.URL(), "--http", "off", "--grace", "100ms")
	s.awaitIn(t)
	minute := time.Now().Add(-30 * time.Minute)
	client := s.redis.Client()
	testbed.Eventually(t, 60*time.Second, "a trace from Redis to bars", func(ctx context.Context) bool {
		// Each closes the bar of the one before.
		payload := fmt.Sprintf(`{"symbol":"AAPL","price":100.5,"volume":1,"timestamp":%d.0}`, minute.Unix())
		minute = minute.Add(time.Minute)
		if err := client.Publish(ctx, s.redis.Channels.Ticks, payload).Err(); err != nil {
			return false
		}
		return traces.has("bridge batch", "append TICKS") && traces.has("bridge batch", "fold", "publish BARS") && traces.has("bridge batch", "fold", "publish SIGNALS")
	})
	traces.mu.Lock()
	defer traces.mu.Unlock()
	if !slices.Contains(traces.names, "tickstream-bridge") || !slices.Contains(traces.names, "tickstream-pipeline") {
		t.Errorf("the services are %v", slices.Compact(traces.names))
	}
	if t.Failed() {
		for _, s := range traces.spans {
			t.Logf("%+v: %v", s, traces.way(s))
		}
	}
}

func TestTracesAreOffUnlessAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		set  map[string]string
		want bool
		says string // of what is refused
	}{
		"nothing":           {nil, false, ""},
		"an endpoint":       {map[string]string{otlpEndpoint: "http://127.0.0.1:4318"}, true, ""},
		"one of traces":     {map[string]string{otlpTracesEndpoint: "https://collector:4318/v1/traces"}, true, ""},
		"switched off":      {map[string]string{otlpEndpoint: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, false, ""},
		"no traces":         {map[string]string{otlpEndpoint: "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, false, ""},
		"no URL":            {map[string]string{otlpEndpoint: "127.0.0.1:4318"}, false, otlpEndpoint},
		"a password":        {map[string]string{otlpEndpoint: "http://me:hunter2@127.0.0.1:4318"}, false, "OTEL_EXPORTER_OTLP_HEADERS"},
		"another protocol":  {map[string]string{otlpEndpoint: "http://127.0.0.1:4317", otlpProtocol: "grpc"}, false, "http/protobuf"},
		"one that is known": {map[string]string{otlpEndpoint: "http://127.0.0.1:4318", otlpTracesProtocol: "http/protobuf"}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range c.set {
				t.Setenv(key, value)
			}
			got, err := tracingWanted()
			if got != c.want || (err != nil) != (c.says != "") {
				t.Errorf("tracing is %v, %v; want %v", got, err, c.want)
			}
			if err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("it says: %v", err)
			}
		})
	}
}
