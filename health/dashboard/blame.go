package dashboard

import (
	"strings"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/presence"
)

// hopOf is the hop at which an issue is.
func hopOf(i observe.Issue, f observe.Facts) string {
	switch i.Code {
	case observe.CodeRedisUnreachable, observe.CodeBridgeNotSubscribed, observe.CodeSymbolsStale:
		return hopRedis
	case observe.CodeNoTicks:
		return firstSilent(f)
	case observe.CodeBridgeMissing, observe.CodeBridgesRival, observe.CodePublishBlocked, observe.CodeTicksQueued,
		observe.CodeTicksShed, observe.CodeRejects, observe.CodeGap, observe.CodeLagHigh:
		return hopBridge
	case observe.CodeJetStreamUnreachable, observe.CodeNATSUnreachable, observe.CodeStreamMissing, observe.CodeStreamsConflict,
		observe.CodeMeasurementsStale, observe.CodeMeasurementIncomplete:
		return hopTicks
	case observe.CodePipelineMissing, observe.CodeConsumerBehind, observe.CodeConsumerMissing:
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

// firstSilent is the first hop that passes nothing on while ticks are missing.
func firstSilent(f observe.Facts) string {
	bridges, subscribed, blocked := 0, false, false
	for _, r := range f.Components {
		if r.Role != presence.RoleBridge || r.Bridge == nil {
			continue
		}
		bridges++
		subscribed = subscribed || r.Bridge.Subscribed
		blocked = blocked || r.Bridge.PublishBlockedMs > 0
	}
	switch {
	case bridges == 0:
		return hopBridge
	case !subscribed:
		return hopRedis
	case blocked:
		return hopTicks
	case f.RejectsInWindow > 0:
		return hopBridge
	}
	return hopRedis // the feed is silent
}
