package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

const (
	// freshReport is how old a component's report may be.
	freshReport = 3 * presence.Interval
	// slack is what a health event may be late by.
	slack = 2 * time.Second
	// freshTick is how old the newest tick may be while ticks flow.
	freshTick = 5 * time.Second
	// slowFeed is a last tick so recent that not hearing one says nothing.
	slowFeed = 10 * time.Second

	noticeableSkew = 500 * time.Millisecond
	harmfulSkew    = 5 * time.Second // ticks of the future are refused

	noticeableBacklog = 1_000
	harmfulBacklog    = 50_000
)

// Judge turns facts into checks, in the order of the hops.
func Judge(f Facts) []Check {
	r := &report{cause: map[string]string{}}
	r.add("nats", "NATS reachable", nil, f.NATS.reachable)
	r.add("jetstream", "JetStream on", []string{"nats"}, f.NATS.jetStream)
	r.add("streams", "streams as configured", []string{"jetstream"}, f.NATS.streams)
	r.add("redis", "Redis reachable", nil, f.Redis.reachable)
	r.add("clocks", "clocks agree", nil, f.clocks)
	for _, role := range []string{presence.RoleBridge, presence.RolePipeline, presence.RoleHealth} {
		r.add(role, role+" running", []string{"streams"}, func() verdict { return f.NATS.component(role) })
	}
	r.add("subscribed", "bridge subscribed", []string{"redis", "bridge"}, f.subscribed)
	r.add("feed", "ticks come in", []string{"redis"}, f.feed)
	r.add("tick_age", "newest tick", []string{"streams", "bridge", "subscribed", "feed"}, f.tickAge)
	r.add("growing", "TICKS growing", []string{"tick_age"}, f.growing)
	r.add("lag", "consumers keep up", []string{"streams", "pipeline"}, f.NATS.lag)
	r.add("health_nats", "health on NATS", []string{"streams", "health"}, f.healthOnNATS)
	// What was heard stands for itself, even if NATS cannot tell of health.
	needs := []string{"redis", "health"}
	if f.Redis.HealthHeard {
		needs = needs[:1]
	}
	r.add("health_redis", "health on Redis", needs, f.healthOnRedis)
	r.add("status", "health says", []string{"health_nats"}, func() verdict { return f.status(r.anyFailed()) })
	r.add("appv2", "AppV2 listens", []string{"redis"}, f.appV2)
	if f.Database != nil {
		r.add("database", "database reachable", nil, f.Database.reachable)
		r.add("tables", "tables", []string{"database"}, f.Database.tables)
		r.add("universe", "universe", []string{"database"}, f.Database.universe)
	}
	return r.checks
}

func (r *report) anyFailed() bool { return !Healthy(r.checks) }

func (n NATS) reachable() verdict {
	if v, bad := failedIf(n.Err, "start NATS, or point --nats (NATS_URL) at it"); bad {
		return v
	}
	return ok(fmt.Sprintf("%s, round trip %s, server %s", n.URL, short(n.RTT), n.Version))
}

func (n NATS) jetStream() verdict {
	if v, bad := failedIf(n.JetStreamErr, "start nats-server with -js, or turn JetStream on for this account"); bad {
		return v
	}
	return ok("answers")
}

func (n NATS) streams() verdict {
	if v, bad := failedIf(n.VerifyErr, "check the permissions of this NATS user"); bad {
		return v
	}
	if len(n.Findings) > 0 {
		return failed(strings.Join(n.Findings, "; "),
			"what is missing is made by any role when it starts (tickstream bridge); what conflicts must be renamed or deleted first")
	}
	return ok("all there")
}

func (r Redis) reachable() verdict {
	if v, bad := failedIf(r.Err, "start Redis, or point --redis (REDIS_URL) at it"); bad {
		return v
	}
	return ok(fmt.Sprintf("%s, round trip %s, server %s", r.URL, short(r.RTT), r.Version))
}

func (f Facts) clocks() verdict {
	var said []string
	state := OK
	for _, clock := range []struct {
		name string
		skew *time.Duration
	}{{"NATS", f.NATS.Skew}, {"Redis", f.Redis.Skew}} {
		if clock.skew == nil {
			continue
		}
		skew := *clock.skew
		said = append(said, fmt.Sprintf("%s %+d ms", clock.name, skew.Milliseconds()))
		switch {
		case skew.Abs() > harmfulSkew:
			state = Failed
		case skew.Abs() > noticeableSkew && state == OK:
			state = Warning
		}
	}
	if len(said) == 0 {
		return notToSee("no server to compare with")
	}
	v := verdict{state: state, detail: strings.Join(said, ", ") + " against this machine"}
	if state != OK {
		v.mend = "let NTP set the clocks: ticks of the future are refused, and lags are measured wrong"
	}
	return v
}

// component judges whether a role runs, by the freshest of its reports.
func (n NATS) component(role string) verdict {
	if v, bad := failedIf(n.ComponentsErr, "check the permissions of this NATS user"); bad {
		return v
	}
	var newest *presence.Report
	var age time.Duration
	count := 0
	for i, report := range n.Components {
		if report.Role != role {
			continue
		}
		count++
		if newest == nil || n.Ages[i] < age {
			newest, age = &n.Components[i], n.Ages[i]
		}
	}
	start := fmt.Sprintf("start it (tickstream %s, or docker compose up -d %s) and look at its log", role, role)
	switch {
	case newest == nil:
		return failed("not running: no "+role+" reports itself", start)
	case age > freshReport:
		return failed(fmt.Sprintf("died or hangs: its last report is %s old (%s, pid %d)", short(age), newest.Host, newest.PID), start)
	}
	detail := fmt.Sprintf("%s, pid %d, reported %s ago", newest.Host, newest.PID, short(age))
	if count > 1 {
		detail += fmt.Sprintf(" (%d of them)", count)
	}
	return ok(detail)
}

// bridgeReport is the report of the bridge that reads, if any does.
func (n NATS) bridgeReport() *presence.Bridge {
	var idle *presence.Bridge
	for _, report := range n.Components {
		if report.Bridge == nil {
			continue
		}
		if report.Bridge.Subscribed {
			return report.Bridge
		}
		idle = report.Bridge
	}
	return idle
}

func (f Facts) subscribed() verdict {
	bridge := f.NATS.bridgeReport()
	r := f.Redis
	switch {
	case r.SubscribersErr != "":
		return failed(r.SubscribersErr, "allow this Redis user PUBSUB")
	case bridge != nil && !bridge.Subscribed:
		return failed(fmt.Sprintf("the bridge says that it is not reading %s (failed connects: %d)", bridge.Source, bridge.FailedConnects),
			"look at the bridge's log; check its --redis (REDIS_URL)")
	case r.SourceIsStream:
		return ok("reads the Redis stream " + r.Source)
	case r.TickSubscribers == 0:
		return failed(fmt.Sprintf("nobody is subscribed to %s on this Redis, though the bridge says it reads", r.Source),
			"the bridge reads another Redis or channel: compare its --redis (REDIS_URL) and --redis-namespace with these")
	}
	return ok(fmt.Sprintf("%d subscribed to %s", r.TickSubscribers, r.Source))
}

// feed judges whether ticks come in at all.
func (f Facts) feed() verdict {
	r := f.Redis
	if v, bad := failedIf(r.ListenErr, "allow this Redis user to subscribe to "+r.Source); bad {
		return v
	}
	from := ""
	if len(r.Publishers) > 0 {
		from = ", published by " + strings.Join(r.Publishers, ", ")
	}
	if r.SourceIsStream {
		if r.SourceIdle != nil && *r.SourceIdle < slowFeed {
			return ok(fmt.Sprintf("last entry of %s %s ago%s", r.Source, short(*r.SourceIdle), from))
		}
	} else if r.Heard > 0 {
		return ok(fmt.Sprintf("%d in %s on %s (%.1f/s)%s", r.Heard, short(r.Listened), r.Source, float64(r.Heard)/r.Listened.Seconds(), from))
	}
	if last := f.NATS.LastTick; last != nil && last.Age < slowFeed {
		return ok(fmt.Sprintf("none while listening for %s, the last one %s ago", short(r.Listened), short(last.Age)))
	}
	return f.silence()
}

// silence judges that no tick comes in: out of market hours it is no fault.
func (f Facts) silence() verdict {
	said := fmt.Sprintf("no tick on %s for %s", f.Redis.Source, short(f.Redis.Listened))
	if last := f.NATS.LastTick; last != nil {
		said = fmt.Sprintf("no tick on %s for %s", f.Redis.Source, short(last.Age))
	}
	mend := "if the market is open, AppV2's producer is down or publishes to another Redis; try tickstream sim"
	fresh := f.NATS.Health != nil && f.NATS.HealthAge <= f.HealthInterval+slack
	switch {
	case fresh && f.NATS.Health.Status == event.StatusError:
		return failed(said+", and health counts that as a fault: the producer does not publish", mend)
	case fresh && f.NATS.Health.Status == event.StatusHealthy:
		return warning(said+": the market is closed, as health sees no fault in it", mend)
	case !f.NATS.SessionActive:
		return warning(said+": no session is active, so the market is closed or none was started; or the producer does not publish", mend)
	}
	return failed(said+" while a session is active: the producer does not publish, or the market has closed", mend)
}

// flowing is whether ticks were seen to come in while watching.
func (f Facts) flowing() bool {
	r := f.Redis
	return r.Heard > 0 || r.SourceIdle != nil && *r.SourceIdle < slowFeed
}

func (f Facts) tickAge() verdict {
	if v, bad := failedIf(f.NATS.TicksErr, "check the permissions of this NATS user"); bad {
		return v
	}
	last := f.NATS.LastTick
	detail := "TICKS holds none"
	if last != nil {
		detail = fmt.Sprintf("stored %s ago, sequence %d", short(last.Age), last.Sequence)
	}
	switch {
	case last != nil && last.Age <= freshTick:
		return ok(detail)
	case !f.flowing():
		return notToSee(detail + "; none is to be expected")
	}
	if bridge := f.NATS.bridgeReport(); bridge != nil {
		detail += fmt.Sprintf("; the bridge holds %d ticks, refused %d, has waited %d ms for JetStream", bridge.QueuedTicks, total(bridge.Rejected), bridge.PublishBlockedMs)
	}
	return failed("ticks come in, but none is stored: "+detail,
		"look at the bridge's log and at REJECTS: nats stream view REJECTS")
}

func (f Facts) growing() verdict {
	last := f.NATS.LastTick
	switch {
	case last != nil && last.New:
		return ok(fmt.Sprintf("%d messages in %s", f.NATS.Grown, short(f.NATS.Watched)))
	case !f.flowing():
		return notToSee("no tick came in meanwhile")
	case last != nil && last.Age < f.NATS.Watched+freshTick:
		return ok("the last tick is recent")
	}
	return failed(fmt.Sprintf("no new tick in %s", short(f.NATS.Watched)), "look at the bridge's log")
}

func (n NATS) lag() verdict {
	if v, bad := failedIf(n.ConsumersErr, "check the permissions of this NATS user"); bad {
		return v
	}
	if len(n.Consumers) == 0 {
		return warning("TICKS has no durable consumer", "restart the pipeline: it makes its consumer when it starts")
	}
	var said []string
	state := OK
	for _, c := range n.Consumers {
		said = append(said, fmt.Sprintf("%s has %d to read, %d unacknowledged", c.Name, c.Pending, c.Unacked))
		switch {
		case c.Pending > harmfulBacklog:
			state = Failed
		case c.Pending > noticeableBacklog && state == OK:
			state = Warning
		}
	}
	v := verdict{state: state, detail: strings.Join(said, "; ")}
	if state != OK {
		v.mend = "the pipeline is slower than the feed: look at its log and CPU, or run one more"
	}
	return v
}

func total(counts map[string]int64) int64 {
	var sum int64
	for _, n := range counts {
		sum += n
	}
	return sum
}

// short shows a duration with the precision that a person wants.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
