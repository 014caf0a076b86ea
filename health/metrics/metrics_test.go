package metrics_test

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/metrics"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/telemetry"
)

var quiet = slog.New(slog.DiscardHandler)

// scrape is what a registry answers, without what differs from one moment to the
// next.
func scrape(t *testing.T, r *metrics.Registry) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	r.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(recorder.Result().Body)
	if err != nil || recorder.Code != 200 {
		t.Fatalf("/metrics = %d, %v: %s", recorder.Code, err, body)
	}
	var lines []string
	for line := range strings.Lines(string(body)) {
		if strings.Contains(line, "tickstream_") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func ofReport(t *testing.T, report presence.Report) string {
	t.Helper()
	r := metrics.New("v1.2.3", "abc", quiet)
	r.AddComponent(func() presence.Report { return report })
	return scrape(t, r)
}

// change sets a field to something else than its zero value; false is a kind
// of field that the test does not know.
func change(field reflect.Value) bool {
	switch value := field.Addr().Interface().(type) {
	case *string:
		*value = "broken"
	case *bool:
		*value = !*value
	case *int64:
		*value = 7000
	case *map[string]int64:
		*value = map[string]int64{"some": 7}
	case *map[string]uint64:
		*value = map[string]uint64{"some": 7}
	case *map[string]string:
		*value = map[string]string{"some": "why"}
	case *map[string]presence.Channel:
		*value = map[string]presence.Channel{"some": {Published: 7}}
	case *[]presence.Partition:
		*value = []presence.Partition{{Number: 3, Watermark: time.Unix(1, 0)}}
	case *time.Time:
		*value = time.Unix(1, 0)
	default:
		return false
	}
	return true
}

// Whatever a part of a process reports shows in what is exported.
func TestEachReportedFieldShows(t *testing.T) {
	parts := map[string]func(*presence.Report) any{
		"bridge":   func(r *presence.Report) any { r.Bridge = &presence.Bridge{}; return r.Bridge },
		"egress":   func(r *presence.Report) any { r.Egress = &presence.Egress{}; return r.Egress },
		"pipeline": func(r *presence.Report) any { r.Pipeline = &presence.Pipeline{}; return r.Pipeline },
		"store":    func(r *presence.Report) any { r.Store = &presence.Store{}; return r.Store },
	}
	unexported := []string{"bridge.Source", "pipeline.Works"} // a name; true of all that report
	for name, part := range parts {
		var plain presence.Report
		kind := reflect.TypeOf(part(&plain)).Elem()
		before := ofReport(t, plain)
		if before == ofReport(t, presence.Report{}) {
			t.Errorf("a report of %s exports nothing", name)
		}
		for i := range kind.NumField() {
			var changed presence.Report
			field := reflect.ValueOf(part(&changed)).Elem().Field(i)
			if !change(field) {
				t.Fatalf("%s.%s is of a kind that this test does not know: %s", name, kind.Field(i).Name, field.Type())
			}
			shows := ofReport(t, changed) != before
			if want := !slices.Contains(unexported, name+"."+kind.Field(i).Name); shows != want {
				t.Errorf("%s.%s shows: %v, want %v", name, kind.Field(i).Name, shows, want)
			}
		}
	}
}

// shelf is a source that has one snapshot.
type shelf health.Snapshot

func (s shelf) Snapshot() health.Snapshot { return health.Snapshot(s) }

func TestSystemIsExported(t *testing.T) {
	now := time.Unix(1_760_000_000, 0)
	snapshot := shelf{
		Payload: []byte("{}"),
		Event:   event.StreamingHealth{Status: "critical", Timestamp: event.At(now)},
		Issues: []observe.Issue{
			{Code: observe.CodeNoTicks, Severity: observe.SeverityError, Component: "bridge"},
			{Code: observe.CodeConsumerBehind, Severity: observe.SeverityWarning, Component: "pipeline_0"},
			{Code: observe.CodeConsumerBehind, Severity: observe.SeverityWarning, Component: "pipeline_1"},
		},
		Buses: []health.BusState{
			{Name: "NATS", Reach: observe.Reach{OK: true}, Leading: true, Receivers: -1},
			{Name: "Redis", Receivers: 3},
		},
		Facts: observe.Facts{
			At: now, JetStream: observe.Reach{OK: true}, TicksPerSecond: 12.5, BarsPerMinute: 30, LastTickAt: now, IngestLag: 1500 * time.Millisecond,
			UniverseSize: 60, ActiveSymbols: 58, StaleSymbols: []string{"AAPL", "BRK.B"},
			Consumers:  []observe.Consumer{{Name: "pipeline_0", Pending: 4, Lag: time.Second}},
			Components: []presence.Report{{Role: "bridge"}, {Role: "pipeline"}, {Role: "pipeline"}},
		},
	}
	r := metrics.New("v1.2.3", "abc", quiet)
	r.AddSystem(snapshot)
	got := scrape(t, r)
	for _, want := range []string{
		`tickstream_build_info{commit="abc",version="v1.2.3"} 1`,
		`tickstream_health_status{status="error"} 1`, `tickstream_health_status{status="healthy"} 0`,
		`tickstream_health_issues{code="no_ticks",severity="error"} 1`,
		`tickstream_health_issues{code="consumer_behind",severity="warning"} 2`,
		`tickstream_health_bus_up{bus="Redis"} 0`, `tickstream_health_bus_receivers{bus="Redis"} 3`, `tickstream_health_bus_leading{bus="NATS"} 1`,
		`tickstream_health_event_timestamp_seconds 1.76e+09`, `tickstream_last_tick_timestamp_seconds 1.76e+09`,
		`tickstream_ticks_stored_rate 12.5`, `tickstream_bars_stored_rate 0.5`, `tickstream_ingest_lag_seconds 1.5`,
		`tickstream_universe_symbols 60`, `tickstream_active_symbols 58`, `tickstream_stale_symbols 2`,
		`tickstream_consumer_pending_messages{consumer="pipeline_0"} 4`, `tickstream_consumer_lag_seconds{consumer="pipeline_0"} 1`,
		`tickstream_components{role="pipeline"} 2`, `tickstream_jetstream_up 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	for _, not := range []string{"AAPL", `receivers{bus="NATS"}`} {
		if strings.Contains(got, not) {
			t.Errorf("holds %s", not)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// Before the first event there is nothing to be believed.
func TestWhatIsNotMeasuredIsNotExported(t *testing.T) {
	r := metrics.New("v1.2.3", "abc", quiet)
	r.AddSystem(shelf{})
	if got := scrape(t, r); strings.Contains(got, "tickstream_health_status") || strings.Contains(got, "tickstream_ticks_stored_rate") {
		t.Errorf("exports what is not known:\n%s", got)
	}
}

func TestTimesAreExported(t *testing.T) {
	r := metrics.New("v1.2.3", "abc", quiet)
	timed := telemetry.New(nil)
	r.Add(timed)
	timed.Appended("TICKS", 20*time.Millisecond)
	timed.Stored("TICKS", -time.Second) // the clock was set back
	timed.Published("BARS", time.Second, 3*time.Second)
	got := scrape(t, r)
	for _, want := range []string{
		`tickstream_bridge_append_duration_seconds_bucket{stream="TICKS",le="0.01"} 0`,
		`tickstream_bridge_append_duration_seconds_bucket{stream="TICKS",le="0.025"} 1`,
		`tickstream_bridge_store_delay_seconds_sum{stream="TICKS"} 0`,
		`tickstream_pipeline_publish_duration_seconds_sum{stream="BARS"} 1`,
		`tickstream_pipeline_result_delay_seconds_sum{stream="BARS"} 3`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("lacks %s in\n%s", want, got)
		}
	}
}

// All names and units are as Prometheus wants them.
func TestNamesAreConventional(t *testing.T) {
	r := metrics.New("v1.2.3", "abc", quiet)
	full := presence.Report{
		Bridge:   &presence.Bridge{Rejected: map[string]int64{"malformed": 1}},
		Egress:   &presence.Egress{Channels: map[string]presence.Channel{"c": {}}, Pending: map[string]uint64{"e": 1}},
		Pipeline: &presence.Pipeline{Partitions: []presence.Partition{{Watermark: time.Unix(1, 0)}}},
		Store: &presence.Store{
			Rows: map[string]int64{"t": 1}, Refused: map[string]int64{"t": 1}, Skipped: map[string]string{"t": "why"}, StoredAt: time.Unix(1, 0),
		},
	}
	r.AddComponent(func() presence.Report { return full })
	r.AddSystem(shelf{Payload: []byte("{}"), Facts: observe.Facts{At: time.Unix(1, 0)}})
	problems, err := promlint.New(strings.NewReader(scrape(t, r))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
