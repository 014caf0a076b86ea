package dashboard

import (
	"slices"
	"strings"
	"time"

	"github.com/tickstock/tickstream/health"
	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// hopOf is the hop at which an issue is.
func hopOf(i observe.Issue, s health.Snapshot) string {
	switch i.Code {
	case observe.CodeRedisUnreachable, observe.CodeSymbolsStale:
		return hopRedis
	case observe.CodeNoTicks:
		return firstSilent(s)
	case observe.CodeClockSkew:
		return clockAt(i.Component)
	case observe.CodeNobodyListens:
		return hopEgress
	case observe.CodeBridgeMissing, observe.CodeBridgeNotSubscribed, observe.CodeBridgesRival, observe.CodePublishBlocked, observe.CodeTicksQueued,
		observe.CodeTicksShed, observe.CodeRejects, observe.CodeGap, observe.CodeLagHigh:
		return hopBridge
	case observe.CodeJetStreamUnreachable, observe.CodeNATSUnreachable, observe.CodeStreamMissing, observe.CodeStreamsConflict,
		observe.CodeMeasurementsStale, observe.CodeMeasurementIncomplete:
		return hopTicks
	case observe.CodePipelineMissing, observe.CodePipelineStalled, observe.CodeConsumerBehind, observe.CodeConsumerMissing:
		return hopPipeline
	case observe.CodeRowsBehind, observe.CodeTableMismatch, observe.CodeDatabaseUnreachable:
		return hopStore
	}
	// What has ended by an error, and what comes to be judged later, by its name.
	for _, id := range []string{hopBridge, hopPipeline, hopStore, hopEgress, hopRedis} {
		if strings.HasPrefix(i.Component, id) {
			return id
		}
	}
	return hopHealth
}

// breaks tells that an issue is one for which nothing passes its hop, or nothing
// true: that is broken however mild what comes of it still is.
func breaks(i observe.Issue) bool {
	return i.Severity == observe.SeverityError ||
		slices.ContainsFunc(cause.All(), func(c cause.Cause) bool { return c.Code == i.Code })
}

// clockAt is the hop whose clock an issue is about.
func clockAt(component string) string {
	switch component {
	case presence.RoleBridge, presence.RolePipeline, presence.RoleHealth:
		return component
	case "nats":
		return hopTicks
	}
	return hopRedis // the feed's
}

// silent is how old a report is that says nothing of now.
const silent = 5 * time.Second

// firstSilent is the first hop that passes nothing on while ticks are missing.
func firstSilent(s health.Snapshot) string {
	f := s.Facts
	for _, b := range s.Buses {
		if b.Name == "Redis" && !b.Reach.OK {
			return hopRedis
		}
	}
	bridges, subscribed, blocked := 0, false, false
	for _, r := range f.Components {
		if r.Role != presence.RoleBridge || r.Bridge == nil || !r.Heard().IsZero() && f.At.Sub(r.Heard()) > silent {
			continue
		}
		bridges++
		subscribed = subscribed || r.Bridge.Subscribed
		blocked = blocked || r.Bridge.PublishBlockedMs > 0
	}
	switch {
	case bridges == 0, !subscribed:
		return hopBridge
	case blocked:
		return hopTicks
	case f.RejectsInWindow > 0:
		return hopBridge
	}
	return hopRedis // the feed is silent
}
