package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/presence"
)

const (
	// freshReport is how old a component's report may be.
	freshReport = 5 * presence.Interval / 2
	// slack is what a health event may be late by.
	slack = 2 * time.Second
	// freshTick is how old the newest tick may be while ticks flow.
	freshTick = 5 * time.Second
	// slowFeed is a last tick so recent that not hearing one says nothing.
	slowFeed = 10 * time.Second
	// quietFeed is how long a steady feed may pause, and unlikely how many times
	// longer than the mean pause between its ticks that must be to say something.
	quietFeed = 4 * time.Second
	unlikely  = 20

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
	r.add("one_bridge", "one bridge a source", []string{"bridge"}, f.oneBridge)
	r.add("subscribed", "bridge subscribed", []string{"redis", "bridge"}, f.subscribed)
	r.add("feed", "ticks come in", []string{"redis"}, f.feed)
	needed := []string{"streams", "bridge", "subscribed", "feed"}
	if f.tickAge().state == Failed {
		needed = append(needed, "clocks") // of another time ticks are refused
	}
	r.add("tick_age", "newest tick", needed, f.tickAge)
	r.add("growing", "TICKS growing", []string{"tick_age"}, f.growing)
	r.add("spool", "bridge's spool", []string{"bridge"}, f.NATS.spool)
	r.add("lag", "consumers keep up", []string{"streams", "pipeline"}, f.NATS.lag)
	r.add("health_nats", "health on NATS", []string{"streams", "health"}, f.healthOnNATS)
	// What was heard stands for itself, even if NATS cannot tell of health.
	needs := []string{"redis", "health", "health_nats"}
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
	if n.Err != "" {
		return blame(Failed, cause.NATSDown, n.Err)
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
	if r.Err != "" {
		return blame(Failed, cause.RedisDown, r.Err)
	}
	return ok(fmt.Sprintf("%s, round trip %s, server %s", r.URL, short(r.RTT), r.Version))
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
	case newest == nil && role == presence.RoleHealth:
		return blame(Failed, cause.HealthDead, "it is not running, for none reports itself")
	case newest == nil:
		return failed("not running: no "+role+" reports itself", start)
	case age > freshReport:
		died := fmt.Sprintf("it died or hangs, and its last report is %s old (%s, pid %d)", short(age), newest.Host, newest.PID)
		switch role {
		case presence.RoleHealth:
			return blame(Failed, cause.HealthDead, died)
		case presence.RolePipeline:
			return blame(Failed, cause.PipelineStalled, died)
		}
		return failed(died, start)
	}
	detail := fmt.Sprintf("%s, pid %d, reported %s ago", newest.Host, newest.PID, short(age))
	if count > 1 {
		detail += fmt.Sprintf(" (%d of them)", count)
	}
	return ok(detail)
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
