package observe_test

import (
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/event"
)

// What leaves a dashboard without health is told early, and by its one cause.
func TestCausesAreToldByRule(t *testing.T) {
	type facts = *observe.Facts
	type around = *observe.Surroundings
	for name, c := range map[string]rule{
		"a steady feed falls silent": {func(f facts, _ around) { f.LastTickAt = ago(6100 * time.Millisecond) }, event.StatusDegraded, "no_ticks",
			[]string{"nobody publishes ticks: no tick stored for 6.1 s while the market is open"}},
		"a steady feed pauses":     {func(f facts, _ around) { f.LastTickAt = ago(5900 * time.Millisecond) }, event.StatusHealthy, "", nil},
		"a slow feed pauses":       {func(f facts, _ around) { f.LastTickAt, f.TicksInErrorWindow = ago(19*time.Second), 60 }, event.StatusHealthy, "", nil},
		"a slow feed falls silent": {func(f facts, _ around) { f.LastTickAt, f.TicksInErrorWindow = ago(21*time.Second), 60 }, event.StatusDegraded, "no_ticks", nil},
		"silent after the close":   {func(f facts, s around) { f.LastTickAt, s.MarketOpen = ago(20*time.Second), false }, event.StatusHealthy, "", nil},
		"a bridge that was killed": {func(f facts, _ around) {
			f.LastTickAt, f.Components[0].ReportedAt = ago(7*time.Second), ago(8*time.Second)
		}, event.StatusDegraded, "no_ticks", []string{"the bridge has not reported for 8 s"}},
		"silent, and not subscribed": {func(f facts, _ around) { f.LastTickAt, bridge(f).Subscribed = ago(7*time.Second), false },
			event.StatusDegraded, "bridge_not_subscribed", nil},
		"silent without Redis": {func(f facts, s around) { f.LastTickAt, bridge(f).Subscribed, s.Redis = ago(7*time.Second), false, down },
			event.StatusDegraded, "redis_unreachable", nil},
		"no ticks without Redis": {func(f facts, s around) { quiet(f, 42*time.Second); bridge(f).Subscribed, s.Redis = false, down },
			event.StatusError, "no_ticks redis_unreachable", []string{"42 s while the market is open; Redis does not answer"}},

		"the pipeline stalls": {func(f facts, _ around) {
			f.PipelineMovedAt, f.Consumers[0] = ago(6*time.Second), observe.Consumer{Name: "pipeline_0", Lag: 6 * time.Second, Pending: 90}
		}, event.StatusDegraded, "pipeline_stalled", []string{"the pipeline has stalled: it has read nothing for 6 s, and 90 messages wait, the oldest for 6 s"}},
		"the pipeline has stalled for long": {func(f facts, _ around) {
			f.PipelineMovedAt, f.Consumers[0].Lag = ago(11*time.Second), 11*time.Second
		}, event.StatusError, "pipeline_stalled", nil},
		"the pipeline catches up":   {func(f facts, _ around) { f.PipelineMovedAt, f.Consumers[0].Lag = ago(time.Second), 11*time.Second }, event.StatusDegraded, "consumer_behind", nil},
		"nothing for it to read":    {func(f facts, _ around) { f.PipelineMovedAt = ago(time.Minute) }, event.StatusHealthy, "", nil},
		"no pipeline, so a backlog": {func(f facts, _ around) { f.Components, f.Consumers[0].Lag = f.Components[:1], time.Minute }, event.StatusError, "pipeline_missing", nil},

		"AppV2 listens": {func(_ facts, s around) { s.Audience = &observe.Audience{Listeners: 1} }, event.StatusHealthy, "", nil},
		"AppV2 left": {func(_ facts, s around) {
			s.Audience = &observe.Audience{Channel: "health", LeftAt: ago(5 * time.Second)}
		},
			event.StatusDegraded, "nobody_listens", []string{"nobody is subscribed to health: the last one left health 5 s ago"}},
		"AppV2 restarts":   {func(_ facts, s around) { s.Audience = &observe.Audience{LeftAt: ago(2 * time.Second)} }, event.StatusHealthy, "", nil},
		"AppV2 never came": {func(_ facts, s around) { s.Audience = &observe.Audience{Channel: "health"} }, event.StatusHealthy, "nobody_listens", nil},
		"AppV2 is yet to come": {func(_ facts, s around) { s.Audience, s.StartedAt = &observe.Audience{}, ago(9*time.Second) },
			event.StatusHealthy, "", nil},
		"AppV2 cannot listen": {func(_ facts, s around) { s.Audience, s.Redis = &observe.Audience{LeftAt: ago(time.Minute)}, down }, event.StatusDegraded, "redis_unreachable", nil},

		"the feed's clock is ahead":       {func(f facts, _ around) { f.FeedAhead = 30 * time.Second }, event.StatusDegraded, "clock_skew", []string{"the clocks disagree: ticks are dated 30 s ahead of NATS's clock"}},
		"an aggregate's second":           {func(f facts, _ around) { f.FeedAhead = time.Second }, event.StatusHealthy, "", nil},
		"the clock of NATS is ahead":      {func(f facts, _ around) { f.ClockOffset = 4 * time.Second }, event.StatusDegraded, "clock_skew", []string{"NATS's host is 4 s ahead of health's"}},
		"the clock of a bridge is behind": {func(f facts, _ around) { f.Components[0].ReportedAt, f.Components[0].StoredAt = ago(time.Minute), noon }, event.StatusDegraded, "clock_skew", []string{"that of the host of bridge is 60 s behind health's"}},
		"a report that took its time": {func(f facts, _ around) {
			f.Components[0].ReportedAt, f.Components[0].StoredAt = ago(2*time.Second), noon
		}, event.StatusHealthy, "", nil},
		"ticks too far ahead are refused": {func(f facts, _ around) {
			f.RejectsInWindow, f.RejectReasons = 100, map[string]int64{"timestamp_future": 100}
		}, event.StatusDegraded, "clock_skew", []string{"100 ticks refused"}},
		"a stray tick ahead is refused": {func(f facts, _ around) {
			f.RejectsInWindow, f.RejectReasons = 6, map[string]int64{"timestamp_future": 6}
		}, event.StatusHealthy, "", nil},
		"no ticks, all too far ahead": {func(f facts, _ around) {
			quiet(f, 42*time.Second)
			f.RejectsInWindow, f.RejectReasons = 700, map[string]int64{"timestamp_future": 700}
		}, event.StatusError, "no_ticks clock_skew", []string{"42 s while the market is open; the clocks disagree"}},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}
