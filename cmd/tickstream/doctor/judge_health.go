package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

func (f Facts) healthOnNATS() verdict {
	n := f.NATS
	if v, bad := failedIf(n.HealthErr, "check the permissions of this NATS user"); bad {
		return v
	}
	if n.Health == nil {
		return blame(Failed, cause.HealthDead, "no event was ever published on NATS, though it runs")
	}
	if limit := f.HealthInterval + slack; n.HealthAge > limit {
		return blame(Failed, cause.HealthDead, fmt.Sprintf("it runs, but its last event on NATS is %s old, and one is due every %s", short(n.HealthAge), short(f.HealthInterval)))
	}
	return ok(fmt.Sprintf("last event %s ago", short(n.HealthAge)))
}

func (f Facts) healthOnRedis() verdict {
	r := f.Redis
	mend := "health runs but does not reach this Redis: look at its log; compare its --redis (REDIS_URL) and --redis-namespace with these"
	if r.ListenErr != "" {
		return failed(r.ListenErr, "allow this Redis user to subscribe to "+r.HealthChannel)
	}
	limit := f.HealthInterval + slack
	beats := "no heartbeat key"
	if r.Heartbeat != nil {
		beats = fmt.Sprintf("heartbeat %s old", short(*r.Heartbeat))
	}
	switch {
	case !r.HealthHeard:
		return failed(fmt.Sprintf("no event on %s in %s, %s", r.HealthChannel, short(r.HealthWaited), beats), mend)
	case r.Heartbeat == nil || *r.Heartbeat > limit:
		return failed(fmt.Sprintf("events on %s, but %s: AppV2 counts the producer as offline", r.HealthChannel, beats), mend)
	}
	return ok(fmt.Sprintf("heard on %s, %s", r.HealthChannel, beats))
}

// legacyCritical is what health says instead of error to older pages, where it
// is set to.
const legacyCritical = "critical"

// faulty is whether health calls the system broken.
func faulty(s event.Status) bool { return s == event.StatusError || s == legacyCritical }

// status passes on what health says of the whole. Where a check has failed
// already, it only repeats that.
func (f Facts) status(explained bool) verdict {
	h := f.NATS.Health
	detail := fmt.Sprintf("%s, %d symbols, %.1f ticks/s", h.Status, h.ActiveSymbols, h.Health.TicksPerSecond)
	if len(h.Issues) > 0 {
		detail += ": " + strings.Join(h.Issues, "; ")
	}
	switch {
	case h.Status == event.StatusHealthy:
		return ok(detail)
	case faulty(h.Status) && !explained:
		return failed(detail, "the issues name the cause")
	}
	return warning(detail, "")
}

// simulated is the source of ticks that need no AppV2.
const simulated = "simulated"

// appV2 judges whether somebody shows health. That nobody does is a fault where
// somebody did, or where ticks come from a real feed: AppV2 is there then.
func (f Facts) appV2() verdict {
	r := f.Redis
	if r.SubscribersErr != "" {
		return failed(r.SubscribersErr, "allow this Redis user PUBSUB")
	}
	if r.HealthSubscribers == 0 {
		for _, report := range f.NATS.Components {
			if report.Health != nil && !report.Health.LeftAt.IsZero() {
				return blame(Failed, cause.NobodyListens, fmt.Sprintf("AppV2 left %s at %s", r.HealthChannel, report.Health.LeftAt.UTC().Format("15:04:05 UTC")))
			}
		}
		if r.Feed != "" && r.Feed != simulated {
			return blame(Failed, cause.NobodyListens, fmt.Sprintf("none is on %s, though ticks come in from %s", r.HealthChannel, r.Feed))
		}
		return blame(Warning, cause.NobodyListens, "none is on "+r.HealthChannel)
	}
	return ok(fmt.Sprintf("%d subscribed to %s", r.HealthSubscribers, r.HealthChannel))
}

func (d *Database) reachable() verdict {
	if v, bad := failedIf(d.Err, "start PostgreSQL, or check --database (DATABASE_URL)"); bad {
		return v
	}
	return ok(fmt.Sprintf("round trip %s, server %s", short(d.RTT), d.Version))
}

func (d *Database) tables() verdict {
	if len(d.Missing) > 0 {
		return warning("missing: "+strings.Join(d.Missing, ", "), "AppV2's migrations make them; without them nothing is stored there")
	}
	return ok("all there")
}

func (d *Database) universe() verdict {
	if d.UniverseErr != "" {
		return warning(d.UniverseErr, "the built-in universe stands in; set --universe (TICKSTREAM_UNIVERSE) to a key that exists")
	}
	return ok(fmt.Sprintf("%s has %d symbols", d.Universe, d.Symbols))
}

// RoleFacts are what the check of one role needs.
type RoleFacts struct {
	Facts
	// Host limits the check to components of that host; empty: any.
	Host string
}

// JudgeRole is the check of one container: its role is there and fresh, and if
// it is health, that somebody has published in the last three intervals.
func JudgeRole(f RoleFacts, role string) []Check {
	r := &report{cause: map[string]string{}}
	n := f.NATS
	if f.Host != "" {
		n = n.onHost(f.Host)
	}
	r.add("nats", "NATS reachable", nil, n.reachable)
	r.add(role, role+" running", []string{"nats"}, func() verdict { return n.component(role) })
	if role == presence.RoleHealth {
		r.add("health_nats", "health on NATS", []string{role}, func() verdict {
			if n.HealthErr != "" || n.Health == nil {
				return failed("no health event: "+n.HealthErr, "look at the log of health")
			}
			if n.HealthAge > 3*f.HealthInterval {
				return failed(fmt.Sprintf("the last event is %s old", short(n.HealthAge)), "look at the log of health")
			}
			return ok(fmt.Sprintf("last event %s ago", short(n.HealthAge)))
		})
	}
	return r.checks
}

// onHost leaves out the components of other hosts.
func (n NATS) onHost(host string) NATS {
	components, ages := n.Components, n.Ages
	n.Components, n.Ages = nil, []time.Duration(nil)
	for i, report := range components {
		if report.Host == host {
			n.Components, n.Ages = append(n.Components, report), append(n.Ages, ages[i])
		}
	}
	return n
}
