package observe

import "github.com/tickstock/tickstream/pipeline/event"

// Severity is what an issue does to the status.
type Severity string

// The severities, mildest first.
const (
	// SeverityInfo explains a status and is no fault.
	SeverityInfo Severity = "info"
	// SeverityWarning makes the status degraded.
	SeverityWarning Severity = "warning"
	// SeverityError makes the status error.
	SeverityError Severity = "error"
)

func (s Severity) rank() int {
	switch s {
	case SeverityError:
		return 3
	case SeverityWarning:
		return 2
	case SeverityInfo:
		return 1
	}
	return 0
}

// The codes of issues. Their words do not change.
const (
	CodeStarting              = "starting"
	CodeStopping              = "stopping"
	CodeJetStreamUnreachable  = "jetstream_unreachable"
	CodeMeasurementsStale     = "measurements_stale"
	CodeMeasurementIncomplete = "measurement_incomplete"
	CodeStreamMissing         = "stream_missing"
	CodeBridgeMissing         = "bridge_missing"
	CodePipelineMissing       = "pipeline_missing"
	CodeBridgeNotSubscribed   = "bridge_not_subscribed"
	CodeNoTicks               = "no_ticks"
	CodeSymbolsStale          = "symbols_stale"
	CodeLagHigh               = "lag_high"
	CodeConsumerBehind        = "consumer_behind"
	CodeConsumerMissing       = "consumer_missing"
	CodeRowsBehind            = "rows_behind"
	CodeTableMismatch         = "table_mismatch"
	CodePublishBlocked        = "publish_blocked"
	CodeTicksQueued           = "ticks_queued"
	CodeTicksShed             = "ticks_shed"
	CodeSpooling              = "spooling"
	CodeSpoolFailed           = "spool_failed"
	CodeSpoolNearlyFull       = "spool_nearly_full"
	CodeSpoolDamaged          = "spool_damaged"
	CodeClockStepped          = "clock_stepped"
	CodeRejects               = "rejects"
	CodeGap                   = "gap"
	CodeNATSUnreachable       = "nats_unreachable"
	CodeRedisUnreachable      = "redis_unreachable"
	CodeDatabaseUnreachable   = "database_unreachable"
	CodeStreamsConflict       = "streams_conflict"
	CodeBridgesRival          = "bridges_rival"
	CodePipelineStalled       = "pipeline_stalled"
	CodeNobodyListens         = "nobody_listens"
	CodeClockSkew             = "clock_skew"
)

// Issue is one thing that is wrong. Code and Component together tell issues
// apart over time; Sentence holds numbers that change.
type Issue struct {
	Code     string
	Severity Severity
	// Sentence names the cause and the number.
	Sentence string
	// Component is where the fault is: a role, a bus, or a consumer's name.
	Component string
	// Mend is what to do.
	Mend string
}

// Verdict is what facts amount to. A status other than healthy has at least
// one issue, the gravest first; healthy has at most some of [SeverityInfo].
type Verdict struct {
	Status event.Status
	Issues []Issue
}
