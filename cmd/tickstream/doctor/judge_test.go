package doctor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/doctor"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

func pointer[T any](v T) *T { return &v }

// well are the facts of a system in which nothing is broken.
func well() doctor.Facts {
	health := event.NewStreamingHealth(event.Health{Status: event.StatusHealthy, ActiveSymbols: 60, TicksPerSecond: 60})
	return doctor.Facts{
		HealthInterval: 5 * time.Second,
		NATS: doctor.NATS{
			URL: "nats://n", RTT: time.Millisecond, Version: "2.15.2", Skew: pointer(time.Millisecond),
			Components: []presence.Report{
				{Role: presence.RoleBridge, Host: "h", Bridge: &presence.Bridge{Source: "ticks", Subscribed: true}},
				{Role: presence.RolePipeline, Host: "h"},
				{Role: presence.RoleHealth, Host: "h"},
			},
			Ages:     []time.Duration{time.Second, time.Second, time.Second},
			LastTick: &doctor.StoredTick{Sequence: 9, Age: 100 * time.Millisecond, New: true}, Grown: 90, Watched: 1500 * time.Millisecond,
			Consumers: []doctor.Consumer{{Name: "pipeline", Pending: 3}},
			Health:    &health, HealthAge: 2 * time.Second, SessionActive: true,
		},
		Redis: doctor.Redis{
			URL: "redis://r", RTT: time.Millisecond, Version: "8", Skew: pointer(-time.Millisecond),
			Source: "ticks", TickSubscribers: 1, HealthSubscribers: 1, Heard: 90, Listened: 1500 * time.Millisecond,
			HealthChannel: "health", HealthHeard: true, HealthWaited: time.Second, Heartbeat: pointer(time.Second),
		},
		Database: &doctor.Database{Version: "17", Universe: "u:k", Symbols: 60},
	}
}

func byID(checks []doctor.Check, id string) doctor.Check {
	i := slices.IndexFunc(checks, func(c doctor.Check) bool { return c.ID == id })
	if i < 0 {
		return doctor.Check{}
	}
	return checks[i]
}

func TestJudgeOfAHealthySystem(t *testing.T) {
	checks := doctor.Judge(well())
	for _, c := range checks {
		if c.State != doctor.OK || c.Mend != "" || c.Detail == "" {
			t.Errorf("%+v", c)
		}
	}
	if len(checks) != 22 || !doctor.Healthy(checks) {
		t.Errorf("%d checks", len(checks))
	}
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*doctor.Facts)
		id    string
		state doctor.State
		says  string
		// alone is that nothing else is broken; it is always so unless stated.
		others []string
	}{
		"NATS away":         {func(f *doctor.Facts) { f.NATS = doctor.NATS{Err: "refused"}; f.Redis.HealthHeard = true }, "nats", doctor.Failed, "refused", nil},
		"no JetStream":      {func(f *doctor.Facts) { f.NATS.JetStreamErr = "not enabled" }, "jetstream", doctor.Failed, "-js", nil},
		"streams conflict":  {func(f *doctor.Facts) { f.NATS.Findings = []string{"stream TICKS is odd", "two"} }, "streams", doctor.Failed, "stream TICKS is odd; two", nil},
		"no permission":     {func(f *doctor.Facts) { f.NATS.VerifyErr = "permission denied" }, "streams", doctor.Failed, "permissions", nil},
		"Redis away":        {func(f *doctor.Facts) { f.Redis = doctor.Redis{Err: "refused"} }, "redis", doctor.Failed, "--redis", nil},
		"clock off":         {func(f *doctor.Facts) { f.NATS.Skew = pointer(-time.Second) }, "clocks", doctor.Warning, "NATS -1000 ms", nil},
		"clock far off":     {func(f *doctor.Facts) { f.Redis.Skew = pointer(time.Minute) }, "clocks", doctor.Failed, "NTP", nil},
		"the feed is ahead": {func(f *doctor.Facts) { f.Redis.FeedAhead = pointer(30 * time.Second) }, "clocks", doctor.Failed, "the feed +30000 ms", nil},
		"the feed is late":  {func(f *doctor.Facts) { f.Redis.FeedAhead = pointer(-15 * time.Minute) }, "clocks", doctor.Warning, "unless it is delayed", nil},
		"ticks of the future are refused": {func(f *doctor.Facts) {
			f.Redis.FeedAhead, f.NATS.LastTick.Age, f.NATS.LastTick.New = pointer(2*time.Minute), time.Minute, false
		}, "clocks", doctor.Failed, "the clocks disagree", []string{}},
		"a bridge of another time": {func(f *doctor.Facts) {
			f.NATS.Components[0].StoredAt = time.Now()
			f.NATS.Components[0].ReportedAt = f.NATS.Components[0].StoredAt.Add(-time.Minute)
		}, "clocks", doctor.Failed, "the host of bridge -59999 ms", nil},
		"no clock":     {func(f *doctor.Facts) { f.Redis.Skew, f.NATS.Skew = nil, nil }, "clocks", doctor.Skipped, "no server", nil},
		"bridge gone":  {func(f *doctor.Facts) { f.NATS.Components[0].Role = "x" }, "bridge", doctor.Failed, "not running", nil},
		"bridge hangs": {func(f *doctor.Facts) { f.NATS.Ages[0] = 7 * time.Second }, "bridge", doctor.Failed, "7.0 s old", nil},
		"health hangs": {func(f *doctor.Facts) {
			f.NATS.Ages[2] = 7 * time.Second
			f.Redis.HealthHeard = false
			f.NATS.HealthAge = time.Minute
		}, "health", doctor.Failed, "tickstream health", nil},
		"bridge reconnects": {func(f *doctor.Facts) { f.NATS.Components[0].Bridge.Subscribed = false }, "subscribed", doctor.Failed, "not reading ticks", nil},
		"two bridges":       {func(f *doctor.Facts) { addBridge(f, "ticks", "", time.Second) }, "one_bridge", doctor.Failed, "2 are active on ticks (h pid 0, h2 pid 2): ticks are stored twice or out of order", nil},
		"two active bridges": {func(f *doctor.Facts) {
			f.NATS.Components[0].Bridge.State = presence.StateActive
			addBridge(f, "ticks", presence.StateActive, time.Second)
		}, "one_bridge", doctor.Failed, "stop all but one", nil},
		"a bridge on standby":   {func(f *doctor.Facts) { addBridge(f, "ticks", presence.StateStandby, time.Second) }, "one_bridge", doctor.OK, "1 on standby", nil},
		"two sources":           {func(f *doctor.Facts) { addBridge(f, "others", presence.StateActive, time.Second) }, "one_bridge", doctor.OK, "no other", nil},
		"a bridge that is gone": {func(f *doctor.Facts) { addBridge(f, "ticks", "", time.Minute) }, "one_bridge", doctor.OK, "no other", nil},
		"nobody subscribed":     {func(f *doctor.Facts) { f.Redis.TickSubscribers = 0 }, "subscribed", doctor.Failed, "another Redis", nil},
		"no PUBSUB":             {func(f *doctor.Facts) { f.Redis.SubscribersErr = "NOPERM" }, "subscribed", doctor.Failed, "NOPERM", []string{"appv2"}},
		"a stream as source": {func(f *doctor.Facts) {
			f.Redis.SourceIsStream, f.Redis.TickSubscribers, f.Redis.Heard, f.Redis.SourceIdle = true, 0, 0, pointer(time.Second)
		}, "subscribed", doctor.OK, "Redis stream ticks", nil},
		"a stream that flows": {func(f *doctor.Facts) {
			f.Redis.SourceIsStream, f.Redis.Heard, f.Redis.SourceIdle = true, 0, pointer(time.Second)
		}, "feed", doctor.OK, "1.0 s ago", nil},
		"publishers are named": {func(f *doctor.Facts) { f.Redis.Publishers = []string{"appv2 1.2.3.4:5"} }, "feed", doctor.OK, "published by appv2 1.2.3.4:5", nil},
		"a slow feed": {func(f *doctor.Facts) {
			f.Redis.Heard, f.NATS.LastTick.Age, f.NATS.LastTick.New = 0, 8*time.Second, false
		}, "feed", doctor.OK, "the last one 8.0 s ago", nil},
		"market closed": {func(f *doctor.Facts) { silence(f); f.NATS.SessionActive = true }, "feed", doctor.Warning, "the market is closed", nil},
		"a steady feed ends": {func(f *doctor.Facts) {
			silence(f)
			f.NATS.LastTick.Age, f.NATS.LastMinute = 4500*time.Millisecond, 3600
		}, "feed", doctor.Failed, "nobody publishes ticks: no tick on ticks for 4.5 s, where 3600 came", nil},
		"a slow feed pauses": {func(f *doctor.Facts) {
			silence(f)
			f.NATS.LastTick.Age, f.NATS.LastMinute = 4500*time.Millisecond, 60
		}, "feed", doctor.OK, "the last one 4.5 s ago", nil},
		"a feed that the session ended": {func(f *doctor.Facts) {
			silence(f)
			f.NATS.LastTick.Age, f.NATS.LastMinute, f.NATS.SessionActive = 15*time.Second, 3600, false
		}, "feed", doctor.Warning, "the market is closed", nil},
		"producer down":        {func(f *doctor.Facts) { silence(f); setStatus(f, event.StatusError) }, "feed", doctor.Failed, "does not publish", nil},
		"silence, health too":  {func(f *doctor.Facts) { silence(f); f.NATS.HealthAge = time.Minute }, "feed", doctor.Failed, "while a session is active", []string{"health_nats"}},
		"silence without NATS": {func(f *doctor.Facts) { silence(f); f.NATS = doctor.NATS{Err: "refused"}; f.Redis.HealthHeard = true }, "feed", doctor.Warning, "NATS could tell", []string{"nats"}},
		"no session":           {func(f *doctor.Facts) { silence(f); f.NATS.Health = nil; f.NATS.SessionActive = false }, "feed", doctor.Warning, "no session is active", []string{"health_nats"}},
		"nothing is stored": {func(f *doctor.Facts) {
			f.NATS.LastTick.Age, f.NATS.LastTick.New = time.Minute, false
			f.NATS.Components[0].Bridge.QueuedTicks = 77
		}, "tick_age", doctor.Failed, "the bridge holds 77 ticks", nil},
		"spooling":          {func(f *doctor.Facts) { f.NATS.Components[0].Bridge.SpooledTicks = 77 }, "spool", doctor.Warning, "77 ticks wait on disk", nil},
		"ticks given up":    {func(f *doctor.Facts) { f.NATS.Components[0].Bridge.Shed = 7 }, "spool", doctor.Warning, "7 were given up", nil},
		"spool fails":       {func(f *doctor.Facts) { f.NATS.Components[0].Bridge.SpoolFailure = "no space" }, "spool", doctor.Failed, "no space", nil},
		"spool nearly full": {func(f *doctor.Facts) { b := f.NATS.Components[0].Bridge; b.SpooledBytes, b.SpoolMaxBytes = 81, 100 }, "spool", doctor.Failed, "81 of 100 bytes", nil},
		"a slow stream": {func(f *doctor.Facts) {
			f.Redis.SourceIsStream, f.Redis.Heard, f.Redis.SourceIdle = true, 0, pointer(8*time.Second)
			f.NATS.Watched, f.NATS.LastTick.Age, f.NATS.LastTick.New = 4*time.Second, 12*time.Second, false
		}, "tick_age", doctor.OK, "stored 12.0 s ago", nil},
		"a slow stream grows": {func(f *doctor.Facts) {
			f.Redis.SourceIsStream, f.Redis.Heard, f.Redis.SourceIdle = true, 0, pointer(8*time.Second)
			f.NATS.Watched, f.NATS.LastTick.Age, f.NATS.LastTick.New = 4*time.Second, 12*time.Second, false
		}, "growing", doctor.OK, "recent", nil},
		"a stream that is not stored": {func(f *doctor.Facts) {
			f.Redis.SourceIsStream, f.Redis.Heard, f.Redis.SourceIdle = true, 0, pointer(time.Second)
			f.NATS.LastTick.Age, f.NATS.LastTick.New = 20*time.Second, false
		}, "tick_age", doctor.Failed, "none is stored", nil},
		"a channel slower than the watch": {func(f *doctor.Facts) {
			f.Redis.Heard, f.NATS.Watched, f.NATS.LastTick.Age, f.NATS.LastTick.New = 1, 6*time.Second, 6*time.Second, false
		}, "tick_age", doctor.OK, "as slow as the feed", nil},
		"TICKS is empty":  {func(f *doctor.Facts) { f.NATS.LastTick = nil }, "tick_age", doctor.Failed, "TICKS holds none", nil},
		"a backlog":       {func(f *doctor.Facts) { f.NATS.Consumers[0].Pending = 2000 }, "lag", doctor.Warning, "2000 to read", nil},
		"a large backlog": {func(f *doctor.Facts) { f.NATS.Consumers[0].Pending = 60_000 }, "lag", doctor.Failed, "slower than the feed", nil},
		"the pipeline reads nothing": {func(f *doctor.Facts) {
			f.NATS.PipelineStill, f.NATS.Consumers[0].Lag, f.NATS.Consumers[0].Pending = true, 6*time.Second, 300
		}, "lag", doctor.Failed, "the pipeline has stalled: it reports itself and reads nothing, and 300 messages wait, the oldest for 6.0 s", nil},
		"nothing for it to read": {func(f *doctor.Facts) { f.NATS.PipelineStill = true }, "lag", doctor.OK, "none has more", nil},
		"the pipeline hangs":     {func(f *doctor.Facts) { f.NATS.Ages[1] = 6 * time.Second }, "pipeline", doctor.Failed, "the pipeline has stalled: it died or hangs", nil},
		"no consumer":            {func(f *doctor.Facts) { f.NATS.Consumers = nil }, "lag", doctor.Warning, "no durable consumer", nil},
		"health is late":         {func(f *doctor.Facts) { f.NATS.HealthAge = 8 * time.Second }, "health_nats", doctor.Failed, "8.0 s old", nil},
		"no health event":        {func(f *doctor.Facts) { f.NATS.Health = nil }, "health_nats", doctor.Failed, "ever", nil},
		"no health on Redis":     {func(f *doctor.Facts) { f.Redis.HealthHeard = false }, "health_redis", doctor.Failed, "no event on health", nil},
		"no heartbeat":           {func(f *doctor.Facts) { f.Redis.Heartbeat = nil }, "health_redis", doctor.Failed, "offline", nil},
		"an old heartbeat":       {func(f *doctor.Facts) { f.Redis.Heartbeat = pointer(time.Minute) }, "health_redis", doctor.Failed, "1m0s old", nil},
		"degraded":               {func(f *doctor.Facts) { setStatus(f, event.StatusDegraded) }, "status", doctor.Warning, "it is slow", nil},
		"error by itself":        {func(f *doctor.Facts) { setStatus(f, event.StatusError) }, "status", doctor.Failed, "it is slow", nil},
		"error in older words":   {func(f *doctor.Facts) { setStatus(f, "critical") }, "status", doctor.Failed, "it is slow", nil},
		"AppV2 left": {func(f *doctor.Facts) {
			f.Redis.HealthSubscribers = 0
			f.NATS.Components[2].Health = &presence.Health{LeftAt: time.Date(2025, time.October, 7, 16, 0, 0, 0, time.UTC)}
		}, "appv2", doctor.Failed, "nobody is subscribed to health: AppV2 left health at 16:00:00 UTC", nil},
		"AppV2 publishes and does not listen": {func(f *doctor.Facts) { f.Redis.HealthSubscribers, f.Redis.Feed = 0, "polygon" }, "appv2", doctor.Failed, "though ticks come in from polygon", nil},
		"no AppV2, only a simulated feed":     {func(f *doctor.Facts) { f.Redis.HealthSubscribers, f.Redis.Feed = 0, "simulated" }, "appv2", doctor.Warning, "UNKNOWN", nil},
		"AppV2 away":                          {func(f *doctor.Facts) { f.Redis.HealthSubscribers = 0 }, "appv2", doctor.Warning, "nobody", nil},
		"database away":                       {func(f *doctor.Facts) { f.Database.Err = "refused" }, "database", doctor.Failed, "--database", nil},
		"tables missing":                      {func(f *doctor.Facts) { f.Database.Missing = []string{"a", "b"} }, "tables", doctor.Warning, "a, b", nil},
		"universe missing":                    {func(f *doctor.Facts) { f.Database.UniverseErr = "no key" }, "universe", doctor.Warning, "--universe", nil},
	} {
		t.Run(name, func(t *testing.T) {
			facts := well()
			c.spoil(&facts)
			checks := doctor.Judge(facts)
			got := byID(checks, c.id)
			if got.State != c.state || !strings.Contains(got.Detail+" "+got.Mend, c.says) {
				t.Errorf("%s is %+v, want %s with %q", c.id, got, c.state, c.says)
			}
			if (c.state == doctor.Failed || c.state == doctor.Warning) && got.Mend == "" && c.id != "status" {
				t.Errorf("%s has no mend", c.id)
			}
			for _, other := range checks {
				if other.State == doctor.Failed && other.ID != c.id && !slices.Contains(c.others, other.ID) {
					t.Errorf("%+v is broken too", other)
				}
				if (other.Cause != "") && other.State != doctor.Skipped {
					t.Errorf("%+v has a cause but is not skipped", other)
				}
			}
		})
	}
}

// addBridge adds the report of a second bridge.
func addBridge(f *doctor.Facts, source, state string, age time.Duration) {
	f.NATS.Components = append(f.NATS.Components, presence.Report{
		Role: presence.RoleBridge, Host: "h2", PID: 2, Bridge: &presence.Bridge{Source: source, State: state, Subscribed: true},
	})
	f.NATS.Ages = append(f.NATS.Ages, age)
}

// silence is that no tick comes in.
func silence(f *doctor.Facts) {
	f.Redis.Heard = 0
	f.NATS.LastTick.Age, f.NATS.LastTick.New = time.Hour, false
}

func setStatus(f *doctor.Facts, status event.Status) {
	health := event.NewStreamingHealth(event.Health{Status: status, Issues: []string{"it is slow"}})
	f.NATS.Health = &health
}

// What cannot be seen names its first cause, through several hops.
func TestSkippedChecksNameTheFirstCause(t *testing.T) {
	facts := well()
	facts.NATS = doctor.NATS{Err: "refused"}
	facts.Redis.HealthHeard = false
	checks := doctor.Judge(facts)
	for _, id := range []string{"jetstream", "streams", "bridge", "subscribed", "tick_age", "growing", "lag", "health_nats", "health_redis", "status"} {
		if c := byID(checks, id); c.State != doctor.Skipped || c.Cause != "NATS reachable" || !strings.Contains(c.Detail, "NATS reachable") {
			t.Errorf("%+v", c)
		}
	}
	facts.Redis.HealthHeard = true
	if c := byID(doctor.Judge(facts), "health_redis"); c.State != doctor.OK {
		t.Errorf("health was heard on Redis, yet %+v", c)
	}
}

func TestJudgeRole(t *testing.T) {
	for name, c := range map[string]struct {
		role  string
		host  string
		spoil func(*doctor.Facts)
		want  bool
	}{
		"there":                  {"bridge", "", func(*doctor.Facts) {}, true},
		"here":                   {"bridge", "h", func(*doctor.Facts) {}, true},
		"elsewhere":              {"bridge", "other", func(*doctor.Facts) {}, false},
		"old report":             {"pipeline", "", func(f *doctor.Facts) { f.NATS.Ages[1] = 7 * time.Second }, false},
		"one of two is fresh":    {"pipeline", "", func(f *doctor.Facts) { f.NATS.Components[0].Role = "pipeline"; f.NATS.Ages[1] = 7 * time.Second }, true},
		"no NATS":                {"health", "", func(f *doctor.Facts) { f.NATS.Err = "refused" }, false},
		"health publishes":       {"health", "", func(f *doctor.Facts) { f.NATS.HealthAge = 14 * time.Second }, true},
		"health does not":        {"health", "", func(f *doctor.Facts) { f.NATS.HealthAge = 16 * time.Second }, false},
		"health never did":       {"health", "", func(f *doctor.Facts) { f.NATS.Health = nil }, false},
		"of no matter to others": {"bridge", "", func(f *doctor.Facts) { f.NATS.HealthAge = time.Hour }, true},
	} {
		facts := well()
		c.spoil(&facts)
		if checks := doctor.JudgeRole(doctor.RoleFacts{Facts: facts, Host: c.host}, c.role); doctor.Healthy(checks) != c.want {
			t.Errorf("%s: %+v", name, checks)
		}
	}
}
