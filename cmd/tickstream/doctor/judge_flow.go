package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// bridgeReport is the report of the bridge that reads, if any does.
func (n NATS) bridgeReport() *presence.Bridge {
	var idle *presence.Bridge
	for _, report := range n.Components {
		if report.Bridge == nil {
			continue
		}
		if report.Bridge.Subscribed && report.Bridge.State != presence.StateStandby {
			return report.Bridge
		}
		if idle == nil || report.Bridge.Subscribed {
			idle = report.Bridge
		}
	}
	return idle
}

// oneBridge judges whether each source has one active bridge only: two store the
// ticks of a channel twice, and those of a Redis stream out of order.
func (f Facts) oneBridge() verdict {
	hosts, standby := map[string][]string{}, 0
	for i, report := range f.NATS.Components {
		switch b := report.Bridge; {
		case b == nil, f.NATS.Ages[i] > freshReport:
		case b.State == presence.StateStandby:
			standby++
		default:
			hosts[b.Source] = append(hosts[b.Source], fmt.Sprintf("%s pid %d", report.Host, report.PID))
		}
	}
	for _, source := range slices.Sorted(maps.Keys(hosts)) {
		if active := hosts[source]; len(active) > 1 {
			return failed(fmt.Sprintf("%d are active on %s (%s): ticks are stored twice or out of order", len(active), source, strings.Join(active, ", ")),
				"stop all but one of them")
		}
	}
	if standby > 0 {
		return ok(fmt.Sprintf("%d on standby", standby))
	}
	return ok("no other reads the same source")
}

func (f Facts) subscribed() verdict {
	bridge := f.NATS.bridgeReport()
	r := f.Redis
	switch {
	case r.SubscribersErr != "":
		return failed(r.SubscribersErr, "allow this Redis user PUBSUB")
	case bridge != nil && !bridge.Subscribed:
		return blame(Failed, cause.BridgeDeaf, fmt.Sprintf("it says that it is not reading %s (failed connects: %d)", bridge.Source, bridge.FailedConnects))
	case r.SourceIsStream:
		return ok("reads the Redis stream " + r.Source)
	case r.TickSubscribers == 0:
		return blame(Failed, cause.BridgeDeaf, fmt.Sprintf("nobody listens to %s on this Redis, so it reads another Redis or channel", r.Source))
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
		if f.streamFlows() {
			return ok(fmt.Sprintf("last entry of %s %s ago%s", r.Source, short(*r.SourceIdle), from))
		}
	} else if r.Heard > 0 {
		return ok(fmt.Sprintf("%d in %s on %s (%.1f/s)%s", r.Heard, short(r.Listened), r.Source, float64(r.Heard)/r.Listened.Seconds(), from))
	}
	if last := f.NATS.LastTick; last != nil && last.Age < slowFeed && !f.quiet() {
		return ok(fmt.Sprintf("none while listening for %s, the last one %s ago", short(r.Listened), short(last.Age)))
	}
	return f.silence()
}

// quiet tells that ticks came steadily in a session and do so no more.
func (f Facts) quiet() bool {
	n, last := f.NATS.LastMinute, f.NATS.LastTick
	if last == nil || n == 0 || !f.NATS.SessionActive {
		return false
	}
	return last.Age > max(quietFeed, unlikely*time.Minute/time.Duration(n)) //nolint:gosec // not so many in a minute
}

// silence judges that no tick comes in: out of market hours it is no fault.
func (f Facts) silence() verdict {
	said := fmt.Sprintf("no tick on %s for %s", f.Redis.Source, short(f.Redis.Listened))
	if last := f.NATS.LastTick; last != nil {
		said = fmt.Sprintf("no tick on %s for %s", f.Redis.Source, short(last.Age))
	}
	mend := "if the market is open, AppV2's producer is down or publishes to another Redis; try tickstream sim"
	if f.NATS.Err != "" || f.NATS.JetStreamErr != "" || f.NATS.HealthErr != "" {
		return warning(said+": the market is closed, or the producer does not publish; which of them, NATS could tell", mend)
	}
	if f.quiet() {
		return blame(Failed, cause.NoPublisher, fmt.Sprintf("%s, where %d came in the minute before", said, f.NATS.LastMinute))
	}
	fresh := f.NATS.Health != nil && f.NATS.HealthAge <= f.HealthInterval+slack
	switch {
	case fresh && faulty(f.NATS.Health.Status):
		return blame(Failed, cause.NoPublisher, said+", and health counts that as a fault: the producer does not publish")
	case fresh && f.NATS.Health.Status == event.StatusHealthy:
		return warning(said+": the market is closed, as health sees no fault in it", mend)
	case !f.NATS.SessionActive:
		return warning(said+": no session is active, so the market is closed or none was started; or the producer does not publish", mend)
	}
	return blame(Failed, cause.NoPublisher, said+" while a session is active: the producer does not publish, or the market has closed")
}

// flowing is whether ticks were seen to come in while watching.
func (f Facts) flowing() bool {
	r := f.Redis
	return r.Heard > 0 || f.streamFlows()
}

// streamFlows is whether the last entry of a Redis stream is recent.
func (f Facts) streamFlows() bool { return f.Redis.SourceIdle != nil && *f.Redis.SourceIdle < slowFeed }

// recent is how old the newest tick may be on a slow feed: the last one that
// came in may have come when the watch began, and a Redis stream's before that.
func (f Facts) recent() time.Duration {
	limit := freshTick + f.NATS.Watched
	if f.Redis.SourceIdle != nil {
		limit += *f.Redis.SourceIdle
	}
	return limit
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
	case last != nil && last.Age <= f.recent():
		return ok(detail + ", as slow as the feed")
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
	case last != nil && last.Age <= f.recent():
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
	var most Consumer
	var waiting uint64
	var oldest time.Duration
	state := OK
	for _, c := range n.Consumers {
		waiting, oldest = waiting+c.Pending+uint64(max(0, c.Unacked)), max(oldest, c.Lag)
		if c.Pending+uint64(max(0, c.Unacked)) > most.Pending+uint64(max(0, most.Unacked)) {
			most = c
		}
		if c.Pending > noticeableBacklog {
			said = append(said, fmt.Sprintf("%s has %d to read, %d unacknowledged", c.Name, c.Pending, c.Unacked))
		}
		switch {
		case c.Pending > harmfulBacklog:
			state = Failed
		case c.Pending > noticeableBacklog && state == OK:
			state = Warning
		}
	}
	if n.PipelineStill && oldest > freshReport {
		return blame(Failed, cause.PipelineStalled, fmt.Sprintf("it reports itself and reads nothing, and %d messages wait, the oldest for %s", waiting, short(oldest)))
	}
	if len(said) == 0 {
		said = append(said, fmt.Sprintf("%d consumers, none has more than %d to read and %d unacknowledged", len(n.Consumers), most.Pending, most.Unacked))
	}
	v := verdict{state: state, detail: strings.Join(said, "; ")}
	if state != OK {
		v.mend = "the pipeline is slower than the feed: look at its log and CPU, or run one more"
	}
	return v
}
