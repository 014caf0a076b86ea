package dashboard

import (
	"testing"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

func measured(reports ...presence.Report) health.Snapshot {
	return health.Snapshot{
		Facts: observe.Facts{At: time.Now(), Components: reports, Partitions: 8}, Interval: 5 * time.Second, Published: true,
		Buses: []health.BusState{{Name: "NATS", Reach: observe.Reach{OK: true}, Leading: true, Receivers: -1}},
	}
}

var (
	bridgeRuns   = presence.Report{Role: presence.RoleBridge, Bridge: &presence.Bridge{Source: "ticks", Subscribed: true}, Egress: &presence.Egress{Active: true}}
	bridgeDeaf   = presence.Report{Role: presence.RoleBridge, Bridge: &presence.Bridge{Source: "ticks"}}
	bridgeStuck  = presence.Report{Role: presence.RoleBridge, Bridge: &presence.Bridge{Source: "ticks", Subscribed: true, PublishBlockedMs: 5000}}
	pipelineRuns = presence.Report{Role: presence.RolePipeline, Pipeline: &presence.Pipeline{Works: true}, Store: &presence.Store{Active: true}}
)

func TestTheBrokenHopIsMarked(t *testing.T) {
	fault := func(code, component string) []observe.Issue {
		return []observe.Issue{{Code: code, Severity: observe.SeverityError, Component: component}}
	}
	for name, c := range map[string]struct {
		reports []presence.Report
		issues  []observe.Issue
		want    map[string]string // those that are not good
	}{
		"all is well":             {[]presence.Report{bridgeRuns, pipelineRuns}, nil, nil},
		"no database":             {[]presence.Report{bridgeRuns, {Role: presence.RolePipeline, Pipeline: &presence.Pipeline{}}}, nil, map[string]string{hopStore: toneOff}},
		"the feed is silent":      {[]presence.Report{bridgeRuns, pipelineRuns}, fault(observe.CodeNoTicks, "bridge"), map[string]string{hopRedis: toneBad}},
		"the bridge is deaf":      {[]presence.Report{bridgeDeaf, pipelineRuns}, fault(observe.CodeNoTicks, "bridge"), map[string]string{hopBridge: toneBad, hopEgress: toneUnknown}},
		"there is no bridge":      {[]presence.Report{pipelineRuns}, fault(observe.CodeNoTicks, "bridge"), map[string]string{hopBridge: toneBad, hopEgress: toneUnknown}},
		"JetStream takes nothing": {[]presence.Report{bridgeStuck, pipelineRuns}, fault(observe.CodeNoTicks, "bridge"), map[string]string{hopTicks: toneBad, hopEgress: toneUnknown}},
		"no pipeline":             {[]presence.Report{bridgeRuns, pipelineRuns}, fault(observe.CodePipelineMissing, "pipeline"), map[string]string{hopPipeline: toneBad}},
		"the database is away":    {[]presence.Report{bridgeRuns, pipelineRuns}, fault(observe.CodeDatabaseUnreachable, "database"), map[string]string{hopStore: toneBad}},
		"a part has ended":        {[]presence.Report{bridgeRuns, pipelineRuns}, fault("component_failed", "egress"), map[string]string{hopEgress: toneBad}},
		"the calendar has ended":  {[]presence.Report{bridgeRuns, pipelineRuns}, fault("calendar_ended", "session"), map[string]string{hopHealth: toneBad}},
		"JetStream does not answer": {[]presence.Report{bridgeRuns, pipelineRuns}, fault(observe.CodeJetStreamUnreachable, "jetstream"), map[string]string{
			hopRedis: toneUnknown, hopBridge: toneUnknown, hopTicks: toneBad, hopPipeline: toneUnknown, hopResults: toneUnknown, hopStore: toneUnknown, hopEgress: toneUnknown,
		}},
		"a warning": {[]presence.Report{bridgeRuns, pipelineRuns}, []observe.Issue{{Code: observe.CodeGap, Severity: observe.SeverityWarning}}, map[string]string{hopBridge: toneWarning}},
		"a note":    {[]presence.Report{bridgeRuns, pipelineRuns}, []observe.Issue{{Code: "no_session", Severity: observe.SeverityInfo}}, nil},
		"a cause is broken however mild": {[]presence.Report{bridgeRuns, pipelineRuns}, []observe.Issue{
			{Code: observe.CodePipelineStalled, Severity: observe.SeverityWarning, Component: "pipeline"},
		}, map[string]string{hopPipeline: toneBad}},
		"the feed's clock": {[]presence.Report{bridgeRuns, pipelineRuns}, fault(observe.CodeClockSkew, "feed"), map[string]string{hopRedis: toneBad}},
		"NATS's clock":     {[]presence.Report{bridgeRuns, pipelineRuns}, fault(observe.CodeClockSkew, "nats"), map[string]string{hopTicks: toneBad}},
		"AppV2 has left":   {[]presence.Report{bridgeRuns, pipelineRuns}, fault(observe.CodeNobodyListens, "appv2"), map[string]string{hopEgress: toneBad}},
		"the graver of two": {[]presence.Report{bridgeRuns, pipelineRuns}, []observe.Issue{
			{Code: observe.CodeBridgesRival, Severity: observe.SeverityError}, {Code: observe.CodeGap, Severity: observe.SeverityWarning},
		}, map[string]string{hopBridge: toneBad}},
	} {
		s := measured(c.reports...)
		s.Issues = c.issues
		for _, h := range hopsOf(s, newFlow()) {
			want := c.want[h.ID]
			if want == "" {
				want = toneGood
			}
			if h.Tone != want {
				t.Errorf("%s: %s is %s, want %s", name, h.ID, h.Tone, want)
			}
		}
	}
	for _, h := range hopsOf(health.Snapshot{}, newFlow()) {
		if h.Tone != toneWaiting {
			t.Errorf("before anything is measured %s is %s", h.ID, h.Tone)
		}
	}
}

func TestAnOldEventIsNoStatus(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		interval, age time.Duration
		want          string
	}{
		{5 * time.Second, 7 * time.Second, "healthy"},
		{5 * time.Second, 9 * time.Second, statusUnknown},
		{30 * time.Second, 32 * time.Second, "healthy"},
		{30 * time.Second, 34 * time.Second, statusUnknown},
		{time.Second, 7 * time.Second, "healthy"},
	} {
		s := measured()
		s.Interval, s.Payload = c.interval, []byte("{}")
		s.Event = event.NewStreamingHealth(event.Health{Status: event.StatusHealthy, Timestamp: event.At(now.Add(-c.age))})
		v := newState(s, newFlow(), now)
		if v.Status != c.want || (c.want == statusUnknown) != (len(v.Issues) == 1 && v.Tone == toneBad) {
			t.Errorf("%v after an event, one each %v: %s, %s, %+v", c.age, c.interval, v.Status, v.Tone, v.Issues)
		}
	}
}

func TestStatusesHaveTones(t *testing.T) {
	for status, want := range map[event.Status]string{
		event.StatusHealthy: toneGood, event.StatusDegraded: toneWarning, event.StatusStarting: toneWaiting, event.StatusStopping: toneWaiting,
		event.StatusError: toneBad, "warning": toneWarning, "critical": toneBad,
	} {
		if got := toneOf(status); got != want {
			t.Errorf("%s is %s, want %s", status, got, want)
		}
	}
}

func TestRatesAreOfCounters(t *testing.T) {
	f := newFlow()
	at := time.Now()
	see := func(after time.Duration, instances map[string]int64) {
		var reports []presence.Report
		for instance, received := range instances {
			reports = append(reports, presence.Report{Role: presence.RoleBridge, Instance: instance, ReportedAt: at.Add(after), Bridge: &presence.Bridge{Received: received}})
		}
		f.observe(observe.Facts{Components: reports})
	}
	if f.rate(countReceived, steadyWindow) != nil {
		t.Error("a rate of nothing")
	}
	see(0, map[string]int64{"one": 1000})
	if f.rate(countReceived, steadyWindow) != nil {
		t.Error("a rate of one report")
	}
	see(2*time.Second, map[string]int64{"one": 1120, "two": 5})
	see(2*time.Second, map[string]int64{"one": 1120, "two": 5}) // the same reports
	if got := f.rate(countReceived, steadyWindow); got == nil || *got != 60 {
		t.Errorf("the rate is %v, want 60", got)
	}
	see(4*time.Second, map[string]int64{"one": 1240, "two": 25})
	if got := f.rate(countReceived, steadyWindow); got == nil || *got != 70 {
		t.Errorf("the rate of two is %v, want 70", got)
	}
	if got := f.rate(countReceived, minuteWindow); got == nil || *got*60 != 260 {
		t.Errorf("the rate in a minute that has just begun is %v, want 260 a minute", got)
	}
	see(30*time.Second, map[string]int64{"one": 1240})
	see(40*time.Second, map[string]int64{"one": 1240})
	if got := f.rate(countReceived, steadyWindow); got == nil || *got != 0 {
		t.Errorf("the rate of the last %v is %v, want 0", steadyWindow, got)
	}
}

// A list never outgrows its bound, whatever is added and whether anybody reads.
func TestBoardIsBounded(t *testing.T) {
	b := newBoard()
	for i := range 3 * kept[topicEntries] {
		b.add(topicEntries, int64(i), i)
		b.add(topicEntries, int64(i), i) // the same again
		b.show(topicState, i)
	}
	frames, number, _ := b.since(0)
	if len(frames) != 2 || string(frames[0].data) != "599" {
		t.Fatalf("frames are %v", frames)
	}
	if n := len(b.lists[topicEntries]); n != kept[topicEntries] {
		t.Errorf("%d entries are kept", n)
	}
	b.add(topicEntries, 450, "late") // in its place
	if frames, _, _ = b.since(number); len(frames) != 1 || string(frames[0].data) != `["late"]` {
		t.Errorf("what changed is %v", frames)
	}
	b.add(topicEntries, 1, "too old")
	if frames, _, _ = b.since(number); string(frames[0].data) != `["late"]` {
		t.Errorf("what is older than all of a full list changed it: %s", frames[0].data)
	}
}
