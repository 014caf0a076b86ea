package event

import "strings"

// Source names the producer in every event.
const Source = "tickstream"

// Channels are the Redis channels and keys that AppV2 and tickstream share.
type Channels struct {
	Ticks           string // ticks in: one JSON object a message
	RawTicks        string // optional second shape of ticks in
	SessionStarted  string
	SessionStopped  string
	Health          string
	Patterns        string
	PatternsHigh    string // confidence >= 0.8
	PatternEvents   string // of AppV2's first generation
	Indicators      string
	AlertsIndicator string
	AlertsCritical  string
	Persistence     string
	Errors          string

	Replay string // proposed for replayed ticks: nobody listens there unasked

	HeartbeatKey   string // Unix seconds as a decimal string
	SessionKey     string // the current session as JSON, ours
	HealthLeaseKey string // who publishes health on Redis, ours
}

// DefaultNamespace is the first word of AppV2's channels.
const DefaultNamespace = "tickstock"

// NewChannels returns the channels below a namespace; AppV2's is
// [DefaultNamespace], and another one keeps a second installation on the same
// Redis apart.
func NewChannels(namespace string) Channels {
	streaming := namespace + ":streaming:"
	return Channels{
		Ticks:           namespace + ":market:ticks",
		RawTicks:        namespace + ".data.raw",
		SessionStarted:  streaming + "session_started",
		SessionStopped:  streaming + "session_stopped",
		Health:          streaming + "health",
		Patterns:        namespace + ":patterns:streaming",
		PatternsHigh:    namespace + ":patterns:detected",
		PatternEvents:   namespace + ".events.patterns",
		Indicators:      namespace + ":indicators:streaming",
		AlertsIndicator: namespace + ":alerts:indicators",
		AlertsCritical:  namespace + ":alerts:critical",
		Persistence:     streaming + "persistence",
		Errors:          namespace + ":errors",
		Replay:          namespace + ":replay:ticks",
		HeartbeatKey:    namespace + ":producer:heartbeat",
		SessionKey:      namespace + ":tickstream:session",
		HealthLeaseKey:  namespace + ":tickstream:lease:health",
	}
}

// Carries tells that AppV2 expects events on channel, or will in a version that
// has more kinds of them. Its channels of ticks are not among these.
func (c Channels) Carries(channel string) bool {
	namespace := strings.TrimSuffix(c.Errors, ":errors")
	for _, kind := range []string{":streaming:", ":alerts:", ":patterns:", ":indicators:", ":errors", ".events."} {
		if strings.HasPrefix(channel, namespace+kind) {
			return true
		}
	}
	return false
}
