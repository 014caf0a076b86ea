package observe_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
	"github.com/tickstock/tickstream/pipeline/stream"
)

var noon = time.Date(2025, time.October, 7, 16, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// wellFacts are those of a system in which nothing is wrong at noon.
func wellFacts() observe.Facts {
	return observe.Facts{
		At: ago(time.Second), JetStream: observe.Reach{OK: true, Since: ago(time.Hour)},
		RateWindow: 10 * time.Second, ActiveWindow: time.Minute, ErrorWindow: time.Minute,
		TicksPerSecond: 15, TicksInErrorWindow: 900, LastTickAt: ago(100 * time.Millisecond), FirstTickAt: ago(time.Hour),
		IngestLag: 20 * time.Millisecond, UniverseSize: 60, ActiveSymbols: 60,
		Consumers: []observe.Consumer{{Name: "pipeline_0"}}, Partitions: 2,
		Components: []presence.Report{
			{Role: presence.RoleBridge, Instance: "b1", Bridge: &presence.Bridge{Source: "ticks-in", Subscribed: true}},
			{Role: presence.RolePipeline, Instance: "p1", StartedAt: ago(time.Hour), Pipeline: &presence.Pipeline{Works: true, Partitions: []presence.Partition{{Number: 0}, {Number: 1}}}},
		},
		LastReports: map[string]time.Time{presence.RoleBridge: ago(time.Second), presence.RolePipeline: ago(time.Second)},
	}
}

func wellSurroundings() observe.Surroundings {
	up := observe.Reach{OK: true, Since: ago(time.Hour)}
	return observe.Surroundings{
		Now: noon, StartedAt: ago(time.Hour), MarketOpen: true, MarketOpenedAt: ago(2 * time.Hour),
		NATS: up, Redis: up, Database: &up,
	}
}

func newJudge(t *testing.T, thresholds observe.Thresholds) *observe.Judge {
	t.Helper()
	judge, err := observe.NewJudge(thresholds)
	if err != nil {
		t.Fatal(err)
	}
	return judge
}

var down = observe.Reach{Since: ago(12 * time.Second), Err: "no answer"}

func bridge(f *observe.Facts) *presence.Bridge { return f.Components[0].Bridge }

// quiet is that no tick has come for so long, and none in the minute before.
func quiet(f *observe.Facts, d time.Duration) {
	f.LastTickAt, f.TicksPerSecond, f.TicksInErrorWindow = ago(d), 0, 0
}

func codes(v observe.Verdict) []string {
	var codes []string
	for _, issue := range v.Issues {
		codes = append(codes, issue.Code)
	}
	return codes
}

func TestVerdictHasItsIssuesByRule(t *testing.T) {
	type facts = *observe.Facts
	type around = *observe.Surroundings
	for name, c := range map[string]rule{
		"well":                    {func(facts, around) {}, event.StatusHealthy, "", nil},
		"well without a database": {func(_ facts, s around) { s.Database = nil }, event.StatusHealthy, "", nil},
		"buses not tried yet":     {func(_ facts, s around) { s.NATS, s.Redis = observe.Reach{}, observe.Reach{} }, event.StatusHealthy, "", nil},

		"stopping":          {func(_ facts, s around) { s.Stopping = true }, event.StatusStopping, "stopping", []string{"60 min"}},
		"stopping in error": {func(f facts, s around) { s.Stopping = true; f.JetStream = down }, event.StatusStopping, "jetstream_unreachable stopping", nil},
		"starting": {func(f facts, s around) {
			*f, s.StartedAt = observe.Facts{}, ago(5*time.Second)
		}, event.StatusStarting, "starting", []string{"started 5 s ago", "60 s"}},
		"starting with an issue": {func(f facts, s around) {
			f.FirstTickAt, s.StartedAt, s.Redis = time.Time{}, ago(5*time.Second), down
		}, event.StatusStarting, "redis_unreachable starting", nil},
		"restarted in a session that had ticks": {func(f facts, s around) {
			quiet(f, time.Hour)
			s.StartedAt, s.Redis = ago(5*time.Second), down
		}, event.StatusStarting, "redis_unreachable starting", []string{"no tick of the session has been measured yet"}},
		"symbols not measured yet": {func(f facts, s around) {
			s.StartedAt, f.ActiveSymbols = ago(5*time.Second), 0
			f.Incomplete = []observe.Incomplete{{"symbols", ago(time.Second), "no"}}
		}, event.StatusStarting, "starting", nil},
		"streams in conflict": {func(_ facts, s around) {
			s.Streams = observe.Reach{Since: ago(time.Second), Err: "stream BARS: no; delete it"}
		}, event.StatusError, "streams_conflict", []string{"the streams cannot be prepared: stream BARS: no; delete it"}},
		"streams in conflict at the start": {func(f facts, s around) {
			*f, s.StartedAt = observe.Facts{}, ago(5*time.Second)
			s.Streams = observe.Reach{Since: ago(time.Second), Err: "stream BARS: no"}
		}, event.StatusError, "streams_conflict", nil},
		"started by the first tick": {func(f facts, s around) {
			f.FirstTickAt, s.StartedAt = ago(time.Second), ago(5*time.Second)
			f.StaleSymbols = make([]string, 50)
		}, event.StatusHealthy, "", nil},
		"components have time to report": {func(f facts, s around) {
			f.FirstTickAt, s.StartedAt, f.Components = ago(time.Second), ago(9*time.Second), nil
		}, event.StatusHealthy, "", nil},
		"grace over": {func(f facts, _ around) { f.FirstTickAt = time.Time{} }, event.StatusHealthy, "", nil},
		"grace over without any tick": {func(f facts, s around) {
			f.FirstTickAt = time.Time{}
			quiet(f, time.Hour)
			s.StartedAt = ago(time.Minute)
		}, event.StatusError, "no_ticks", []string{"since health started 60 s ago"}},

		"JetStream away":               {func(f facts, _ around) { f.JetStream = down }, event.StatusError, "jetstream_unreachable", []string{"since 15:59:48 UTC (12 s): no answer"}},
		"JetStream away explains NATS": {func(f facts, s around) { f.JetStream, s.NATS = down, down }, event.StatusError, "jetstream_unreachable", nil},
		"JetStream never there":        {func(f facts, _ around) { *f = observe.Facts{JetStream: down} }, event.StatusError, "jetstream_unreachable", nil},
		"never measured":               {func(f facts, _ around) { *f = observe.Facts{} }, event.StatusError, "measurements_stale", []string{"since health started"}},
		"measured long ago":            {func(f facts, _ around) { f.At = ago(11 * time.Second) }, event.StatusError, "measurements_stale", []string{"11 s ago"}},
		"a part not measured": {func(f facts, _ around) {
			f.Incomplete = []observe.Incomplete{{"consumers", ago(11 * time.Second), "no"}}
		}, event.StatusDegraded, "measurement_incomplete", []string{"consumers could not be measured for 11 s: no"}},
		"a part not measured for a bit": {func(f facts, _ around) {
			f.Incomplete = []observe.Incomplete{{"consumers", ago(9 * time.Second), "no"}}
		}, event.StatusHealthy, "", nil},
		"TICKS missing":  {func(f facts, _ around) { f.MissingStreams = []string{stream.Ticks} }, event.StatusError, "stream_missing", []string{"TICKS"}},
		"BARS missing":   {func(f facts, _ around) { f.MissingStreams = []string{stream.Bars} }, event.StatusDegraded, "stream_missing", []string{"BARS"}},
		"bucket missing": {func(f facts, _ around) { f.MissingStreams = []string{stream.ComponentsBucket} }, event.StatusDegraded, "stream_missing", []string{"bucket"}},
		"missing at the start": {func(f facts, _ around) {
			f.MissingStreams, f.JetStream.Since = []string{stream.Ticks, stream.Bars}, ago(time.Second)
		}, event.StatusHealthy, "", nil},

		"NATS refuses":  {func(_ facts, s around) { s.NATS = down }, event.StatusDegraded, "nats_unreachable", []string{"NATS for 12 s: no answer"}},
		"Redis away":    {func(_ facts, s around) { s.Redis = down }, event.StatusDegraded, "redis_unreachable", []string{"Redis for 12 s: no answer"}},
		"database away": {func(_ facts, s around) { s.Database = &down }, event.StatusDegraded, "database_unreachable", []string{"PostgreSQL", "12 s"}},

		"no bridge": {func(f facts, _ around) {
			f.Components = f.Components[1:]
			f.LastReports[presence.RoleBridge] = ago(42 * time.Second)
		}, event.StatusError, "bridge_missing", []string{"bridge is missing: no report for 42 s"}},
		"no pipeline ever": {func(f facts, _ around) {
			f.Components, f.LastReports = f.Components[:1], nil
		}, event.StatusError, "pipeline_missing", []string{"no report since health started 60 min ago"}},
		"missing out of hours":         {func(f facts, s around) { f.Components, s.MarketOpen = nil, false }, event.StatusError, "bridge_missing pipeline_missing", nil},
		"JetStream came back":          {func(f facts, _ around) { f.Components, f.JetStream.Since = nil, ago(9*time.Second) }, event.StatusHealthy, "", nil},
		"not subscribed":               {func(f facts, _ around) { bridge(f).Subscribed = false }, event.StatusDegraded, "bridge_not_subscribed", []string{"ticks-in"}},
		"not subscribed, no ticks":     {func(f facts, _ around) { bridge(f).Subscribed = false; quiet(f, time.Minute) }, event.StatusError, "bridge_not_subscribed no_ticks", []string{"60 s while the market is open; the bridge is not subscribed to ticks-in"}},
		"not subscribed, out of hours": {func(f facts, s around) { bridge(f).Subscribed = false; quiet(f, time.Hour); s.MarketOpen = false }, event.StatusDegraded, "bridge_not_subscribed", nil},
		"one bridge stands by": {func(f facts, _ around) {
			f.Components = append(f.Components, presence.Report{Role: presence.RoleBridge, Bridge: &presence.Bridge{}})
		}, event.StatusHealthy, "", nil},
		"a partition without an owner":     {func(f facts, _ around) { f.Partitions = 3 }, event.StatusDegraded, "consumer_missing", []string{"1 of 3 partitions"}},
		"pipeline about to take its share": {func(f facts, _ around) { f.Partitions = 3; f.Components[1].StartedAt = ago(time.Second) }, event.StatusHealthy, "", nil},

		"no ticks": {func(f facts, _ around) { quiet(f, 42*time.Second) }, event.StatusError, "no_ticks",
			[]string{"nobody publishes ticks: no tick stored for 42 s while the market is open; the bridge is subscribed to ticks-in: nothing publishes there"}},
		"no ticks, no bridge": {func(f facts, _ around) { quiet(f, 42*time.Second); f.Components = f.Components[1:] }, event.StatusError, "bridge_missing no_ticks", []string{"no bridge is running"}},
		"no ticks, blocked": {func(f facts, _ around) {
			quiet(f, 42*time.Second)
			bridge(f).PublishBlockedMs, bridge(f).QueuedTicks = 40_000, 1234
		}, event.StatusError, "no_ticks publish_blocked", []string{"holds 1,234 ticks that JetStream does not take", "nothing from the bridge for 40 s, with 1,234 ticks waiting"}},
		"no ticks, all refused": {func(f facts, _ around) {
			quiet(f, 42*time.Second)
			f.RejectsInWindow, f.RejectReasons = 700, map[string]int64{"price_missing": 700}
		}, event.StatusError, "no_ticks rejects", []string{"700 messages refused in the last 60 s: price_missing 700"}},
		"no ticks for a bit":                 {func(f facts, _ around) { quiet(f, 30*time.Second) }, event.StatusHealthy, "", nil},
		"no ticks since JetStream came back": {func(f facts, _ around) { quiet(f, time.Hour); f.JetStream.Since = ago(31 * time.Second) }, event.StatusError, "no_ticks", []string{"since JetStream came back 31 s ago"}},
		"JetStream just came back": {func(f facts, _ around) {
			quiet(f, time.Hour)
			f.StaleSymbols, f.JetStream.Since = make([]string, 60), ago(5*time.Second)
			bridge(f).PublishBlockedMs, bridge(f).QueuedTicks = 60_000, 200_000
			f.Components[0].ReportedAt = ago(6 * time.Second)
		}, event.StatusHealthy, "", nil},
		"blocked since JetStream came back": {func(f facts, _ around) {
			f.JetStream.Since, bridge(f).PublishBlockedMs = ago(5*time.Second), 60_000
			f.Components[0].ReportedAt = ago(time.Second)
		}, event.StatusDegraded, "publish_blocked", nil},
		"Redis just came back": {func(f facts, s around) {
			s.Redis.Since, bridge(f).Subscribed = ago(3*time.Second), false
			f.Components[0].ReportedAt = ago(2 * time.Second)
		}, event.StatusHealthy, "", nil},
		"not subscribed since Redis came back": {func(f facts, s around) {
			s.Redis.Since, bridge(f).Subscribed = ago(5*time.Second), false
			f.Components[0].ReportedAt = ago(2 * time.Second)
		}, event.StatusDegraded, "bridge_not_subscribed", nil},
		"no ticks since the open": {func(f facts, s around) { quiet(f, time.Hour); s.MarketOpenedAt = ago(31 * time.Second) }, event.StatusError, "no_ticks", []string{"since the market opened 31 s ago"}},
		"market just opened":      {func(f facts, s around) { quiet(f, time.Hour); s.MarketOpenedAt = ago(29 * time.Second) }, event.StatusHealthy, "", nil},
		"no ticks out of hours": {func(f facts, s around) {
			quiet(f, time.Hour)
			s.MarketOpen = false
			f.StaleSymbols = make([]string, 60)
		}, event.StatusHealthy, "", nil},
		"no ticks explains stale":      {func(f facts, _ around) { quiet(f, time.Hour); f.StaleSymbols = make([]string, 60) }, event.StatusError, "no_ticks", nil},
		"lag of ticks long past":       {func(f facts, s around) { quiet(f, time.Hour); s.MarketOpen = false; f.IngestLag = time.Hour }, event.StatusHealthy, "", nil},
		"four symbols stale":           {func(f facts, _ around) { f.StaleSymbols = []string{"A", "B.C", "D", "E"} }, event.StatusDegraded, "symbols_stale", []string{"4 of 60 symbols have no tick in the last 60 s: A, B.C, D, E"}},
		"three symbols stale":          {func(f facts, _ around) { f.StaleSymbols = []string{"A", "B", "C"} }, event.StatusHealthy, "", nil},
		"many symbols stale":           {func(f facts, _ around) { f.StaleSymbols = strings.Split("A B C D E F G", " ") }, event.StatusDegraded, "symbols_stale", []string{"A, B, C, D, E, …"}},
		"symbols stale after the open": {func(f facts, s around) { f.StaleSymbols = make([]string, 60); s.MarketOpenedAt = ago(59 * time.Second) }, event.StatusHealthy, "", nil},
		"ingest lag":                   {func(f facts, _ around) { f.IngestLag = 2100 * time.Millisecond }, event.StatusDegraded, "lag_high", []string{"2.1 s after their event time, the bound is 2 s"}},
		"ingest lag, critical":         {func(f facts, _ around) { f.IngestLag, f.ClockOffset = 31*time.Second, -31*time.Second }, event.StatusError, "lag_high clock_skew", []string{"31 s", "clock is off by 31 s", "the clocks disagree: that of NATS's host is 31 s behind health's"}},
		"consumer behind":              {func(f facts, _ around) { f.Consumers[0].Lag, f.Consumers[0].Pending = 3*time.Second, 45 }, event.StatusDegraded, "consumer_behind", []string{"consumer pipeline_0 is 3 s behind, with 45 ticks waiting"}},
		"database behind":              {func(f facts, _ around) { f.Rows = observe.Consumer{Lag: 2 * time.Minute, Pending: 7} }, event.StatusDegraded, "rows_behind", []string{"2 min", "7 rows"}},
		"a table that does not fit": {func(f facts, _ around) {
			f.Components[1].Store = &presence.Store{Active: true, Skipped: map[string]string{"ohlcv_1min": "column symbol is missing"}}
		}, event.StatusDegraded, "table_mismatch", []string{"ohlcv_1min", "column symbol is missing"}},
		"consumer far behind": {func(f facts, _ around) { f.Consumers[0].Lag = 31 * time.Second }, event.StatusError, "consumer_behind", nil},
		"much pending":        {func(f facts, _ around) { f.Consumers[0].Pending = 100_001 }, event.StatusDegraded, "consumer_behind", []string{"100,001"}},
		"very much pending":   {func(f facts, _ around) { f.Consumers[0].Pending = 5_000_001 }, event.StatusError, "consumer_behind", nil},
		"publication blocked": {func(f facts, _ around) { bridge(f).PublishBlockedMs, bridge(f).QueuedTicks = 2001, 1 }, event.StatusDegraded, "publish_blocked", []string{"2 s, with 1 tick waiting"}},
		"publication slow":    {func(f facts, _ around) { bridge(f).PublishBlockedMs = 1999 }, event.StatusHealthy, "", nil},
		"ticks queued":        {func(f facts, _ around) { bridge(f).QueuedTicks = 100_001 }, event.StatusDegraded, "ticks_queued", []string{"100,001 ticks"}},
		"ticks shed":          {func(f facts, _ around) { f.ShedInWindow = 7 }, event.StatusDegraded, "ticks_shed", []string{"7 ticks given up"}},
		"spooling": {func(f facts, _ around) {
			bridge(f).SpooledTicks, bridge(f).SpooledBytes, bridge(f).SpoolMaxBytes = 1234, 5<<20, 8<<30
		}, event.StatusDegraded, "spooling", []string{"1,234 ticks (5.0 MiB) wait on the bridge's disk"}},
		"spool nearly full": {func(f facts, _ around) {
			bridge(f).SpooledTicks, bridge(f).SpooledBytes, bridge(f).SpoolMaxBytes = 1234, 850, 1000
		}, event.StatusDegraded, "spool_nearly_full spooling", []string{"85 % full: 850 B of 1000 B"}},
		"spool fails": {func(f facts, _ around) { bridge(f).SpoolFailure = "write to the spool: no space left on device" },
			event.StatusDegraded, "spool_failed", []string{"cannot use its spool: write to the spool: no space left on device"}},
		"spool was damaged": {func(f facts, _ around) { bridge(f).SpoolDamaged, f.Components[0].StartedAt = 2048, ago(time.Minute) },
			event.StatusDegraded, "spool_damaged", []string{"2.0 KiB of the bridge's spool could not be read"}},
		"spool was damaged long ago": {func(f facts, _ around) { bridge(f).SpoolDamaged, f.Components[0].StartedAt = 2048, ago(time.Hour) },
			event.StatusHealthy, "", nil},
		"clock stepped": {func(f facts, _ around) { bridge(f).ClockOffMs = -90_000 },
			event.StatusDegraded, "clock_stepped", []string{"stepped back by 90 s"}},
		"gap":                            {func(f facts, _ around) { f.GapsInWindow, f.GapTime = 1, 4200*time.Millisecond }, event.StatusDegraded, "gap", []string{"lost its subscription for 4.2 s in the last 60 s (1 gap)"}},
		"a share of rejects":             {func(f facts, _ around) { f.RejectsInWindow, f.RejectReasons = 100, map[string]int64{"a": 40, "b": 60} }, event.StatusDegraded, "rejects", []string{"100 of 1,000 messages refused in the last 60 s: b 60, a 40"}},
		"a stray reject":                 {func(f facts, _ around) { f.RejectsInWindow, f.TicksInErrorWindow = 4, 50 }, event.StatusHealthy, "", nil},
		"few rejects among many":         {func(f facts, _ around) { f.RejectsInWindow, f.TicksInErrorWindow = 100, 9_900 }, event.StatusHealthy, "", nil},
		"the gravest first":              {func(f facts, s around) { s.Redis = down; f.GapsInWindow = 1; quiet(f, time.Minute) }, event.StatusError, "no_ticks redis_unreachable gap", nil},
		"stale measurement says no more": {func(f facts, _ around) { f.At = ago(time.Minute); f.GapsInWindow = 1 }, event.StatusError, "measurements_stale", nil},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}

// rule is what a change of well facts amounts to.
type rule struct {
	change func(f *observe.Facts, s *observe.Surroundings)
	status event.Status
	codes  string // in order
	says   []string
}

func (r rule) check(t *testing.T) {
	t.Helper()
	f, s := wellFacts(), wellSurroundings()
	r.change(&f, &s)
	v := newJudge(t, observe.Thresholds{}).Verdict(f, s)
	if got := strings.Join(codes(v), " "); v.Status != r.status || got != r.codes {
		t.Fatalf("verdict = %s [%s], want %s [%s]: %+v", v.Status, got, r.status, r.codes, v.Issues)
	}
	var said []string
	for _, issue := range v.Issues {
		said = append(said, issue.Sentence)
		if issue.Sentence == "" || issue.Component == "" || issue.Mend == "" && issue.Severity != observe.SeverityInfo {
			t.Errorf("issue %+v lacks words", issue)
		}
	}
	for _, want := range r.says {
		if !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("issues say %q, want %q", said, want)
		}
	}
}

func TestWorseAtOnceBetterAfterAWhile(t *testing.T) {
	judge := newJudge(t, observe.Thresholds{RecoverAfter: 3 * time.Second})
	for _, step := range []struct {
		at   time.Duration
		lag  time.Duration
		want event.Status
	}{
		{0, 0, event.StatusHealthy},
		{1, 3, event.StatusDegraded},
		{2, 40, event.StatusError},
		{3, 3, event.StatusError},    // better, for 1 s
		{4, 40, event.StatusError},   // no
		{5, 3, event.StatusError},    // better again
		{7, 3, event.StatusDegraded}, // for 3 s
		{8, 0, event.StatusDegraded},
		{9, 0, event.StatusDegraded},
		{10, 0, event.StatusHealthy},
		{11, 3, event.StatusDegraded},
		{-60, 0, event.StatusHealthy}, // a clock that is set back keeps nothing
	} {
		f, s := wellFacts(), wellSurroundings()
		s.Now = noon.Add(step.at * time.Second)
		f.At, f.LastTickAt, f.IngestLag = s.Now, s.Now, step.lag*time.Second
		if v := judge.Verdict(f, s); v.Status != step.want || (len(v.Issues) == 0) != (step.want == event.StatusHealthy) {
			t.Fatalf("at %d s with a lag of %d s: %s %v, want %s", step.at, step.lag, v.Status, codes(v), step.want)
		}
	}
}

func TestNumbersMustFallClearlyBelowTheirThreshold(t *testing.T) {
	judge := newJudge(t, observe.Thresholds{RecoverAfter: time.Nanosecond, RecoverMargin: 0.5})
	for i, step := range []struct {
		stale int
		lag   time.Duration
		want  string
	}{
		{3, time.Second, ""},
		{4, 31 * time.Second, "lag_high symbols_stale"},
		{2, 16 * time.Second, "lag_high symbols_stale"},
		{1, 16 * time.Second, "lag_high"},
		{2, 1500 * time.Millisecond, "lag_high"},
		{3, time.Second, ""},
	} {
		f, s := wellFacts(), wellSurroundings()
		s.Now = noon.Add(time.Duration(i) * time.Second)
		f.At, f.LastTickAt = s.Now, s.Now
		f.StaleSymbols, f.IngestLag = make([]string, step.stale), step.lag
		if got := strings.Join(codes(judge.Verdict(f, s)), " "); got != step.want {
			t.Fatalf("step %d: issues %q, want %q", i, got, step.want)
		}
	}
}

func TestAnOutageOfJetStreamEndsNoOtherFault(t *testing.T) {
	judge := newJudge(t, observe.Thresholds{})
	f, s := wellFacts(), wellSurroundings()
	f.Components = f.Components[1:]
	judge.Verdict(f, s)
	s.Now = s.Now.Add(time.Second)
	f.JetStream = observe.Reach{Since: s.Now, Err: "gone"}
	for range 5 {
		s.Now = s.Now.Add(2 * time.Second)
		if got := codes(judge.Verdict(f, s)); !slices.Equal(got, []string{"jetstream_unreachable", "bridge_missing"}) {
			t.Fatalf("during the outage: %v", got)
		}
	}
	// The bridge has had no time yet to report, but it was missing before.
	f.JetStream, f.At = observe.Reach{OK: true, Since: s.Now}, s.Now
	s.Now, f.LastTickAt = s.Now.Add(5*time.Second), s.Now
	if got := codes(judge.Verdict(f, s)); !slices.Equal(got, []string{"bridge_missing"}) {
		t.Errorf("after the outage: %v", got)
	}
	f.Components, f.At = wellFacts().Components, s.Now
	s.Now = s.Now.Add(4 * time.Second)
	f.LastTickAt = s.Now
	if v := judge.Verdict(f, s); v.Status != event.StatusHealthy {
		t.Errorf("with the bridge: %s %v", v.Status, codes(v))
	}
}

// What is over still counts for a while, and says that it is over.
func TestWhatIsOverSaysSo(t *testing.T) {
	judge := newJudge(t, observe.Thresholds{})
	f, s := wellFacts(), wellSurroundings()
	s.Redis = observe.Reach{Since: ago(12 * time.Second), Err: "refused"}
	judge.Verdict(f, s)
	s.Now = noon.Add(time.Second)
	s.Redis = observe.Reach{OK: true, Since: s.Now}
	v := judge.Verdict(f, s)
	if v.Status != event.StatusDegraded || len(v.Issues) != 1 || !strings.HasPrefix(v.Issues[0].Sentence, "over for 1 s: Redis does not answer: health events have not gone out on Redis for 12 s") {
		t.Fatalf("at once: %s %+v", v.Status, v.Issues)
	}
	// An outage of JetStream does not keep what was over before it.
	s.Now = noon.Add(2 * time.Second)
	f.JetStream = observe.Reach{Since: s.Now, Err: "gone"}
	for range 3 {
		s.Now = s.Now.Add(3 * time.Second)
		judge.Verdict(f, s)
	}
	if got := codes(judge.Verdict(f, s)); !slices.Equal(got, []string{"jetstream_unreachable"}) {
		t.Errorf("during the outage: %v", got)
	}
}

func TestAMilderIssueSaysItsOwnNumber(t *testing.T) {
	judge := newJudge(t, observe.Thresholds{})
	f, s := wellFacts(), wellSurroundings()
	f.IngestLag = time.Minute
	judge.Verdict(f, s)
	s.Now, f.IngestLag = noon.Add(time.Second), 3*time.Second
	if v := judge.Verdict(f, s); v.Status != event.StatusError || !strings.Contains(v.Issues[0].Sentence, "stored 3 s after") {
		t.Errorf("%s %+v, want an error that says 3 s", v.Status, v.Issues)
	}
}

func TestStartingEndsWithTheFirstTickForGood(t *testing.T) {
	judge := newJudge(t, observe.Thresholds{})
	f, s := wellFacts(), wellSurroundings()
	s.StartedAt = ago(time.Second)
	f.TicksPerSecond, f.ActiveSymbols, f.LastTickAt = 0, 0, ago(time.Hour)
	if v := judge.Verdict(f, s); v.Status != event.StatusStarting {
		t.Fatalf("without a tick since the start: %s %v", v.Status, codes(v))
	}
	f.TicksPerSecond, f.ActiveSymbols, s.Now = 1, 1, noon.Add(time.Second)
	if v := judge.Verdict(f, s); v.Status != event.StatusHealthy {
		t.Fatalf("with the first: %s %v", v.Status, codes(v))
	}
	f.TicksPerSecond, f.ActiveSymbols, s.Now = 0, 0, noon.Add(20*time.Second)
	f.At, f.TicksInErrorWindow = s.Now, 1
	if v := judge.Verdict(f, s); v.Status != event.StatusHealthy {
		t.Errorf("a pause later: %s %v", v.Status, codes(v))
	}
}

func TestTwoActiveBridgesOnOneSource(t *testing.T) {
	for name, c := range map[string]struct {
		second presence.Bridge
		want   string
	}{
		"active":         {presence.Bridge{Source: "ticks-in", State: presence.StateActive, Subscribed: true}, "bridges_rival"},
		"does not say":   {presence.Bridge{Source: "ticks-in", Subscribed: true}, "bridges_rival"},
		"stands by":      {presence.Bridge{Source: "ticks-in", State: presence.StateStandby, Subscribed: true}, ""},
		"another source": {presence.Bridge{Source: "other", State: presence.StateActive, Subscribed: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			judge := newJudge(t, observe.Thresholds{})
			f, s := wellFacts(), wellSurroundings()
			f.Components = append(f.Components, presence.Report{Role: presence.RoleBridge, Instance: "b2", Bridge: &c.second})
			if v := judge.Verdict(f, s); v.Status != event.StatusHealthy {
				t.Fatalf("at once, when one of them may just have died: %s %v", v.Status, codes(v))
			}
			s.Now = noon.Add(stream.ComponentTTL)
			f.At, f.LastTickAt = s.Now, s.Now
			v := judge.Verdict(f, s)
			if got := strings.Join(codes(v), " "); got != c.want {
				t.Fatalf("issues %q, want %q", got, c.want)
			}
			if c.want != "" && !strings.Contains(v.Issues[0].Sentence, "2 bridges have been active on ticks-in for 10 s") {
				t.Errorf("it says %q", v.Issues[0].Sentence)
			}
		})
	}
}

func TestThresholdsValidateNamesTheSetting(t *testing.T) {
	for _, c := range []struct {
		thresholds observe.Thresholds
		says       string
	}{
		{observe.Thresholds{StallAfter: -1}, "stall after"},
		{observe.Thresholds{StaleShare: 1.1}, "stale share"},
		{observe.Thresholds{RejectShare: -0.1}, "reject share"},
		{observe.Thresholds{RecoverMargin: 1}, "recover margin"},
		{observe.Thresholds{LagWarning: time.Minute}, "lag critical"},
		{observe.Thresholds{PendingCritical: 1}, "pending"},
		{observe.Thresholds{QueuedTicks: -1}, "queued ticks"},
	} {
		if _, err := observe.NewJudge(c.thresholds); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("NewJudge(%+v): %v, want it to name %s", c.thresholds, err, c.says)
		}
	}
}
