// Package cause has the words for what most often leaves a dashboard without
// health, so that the page, the event and doctor say the same.
package cause

// Cause is one thing that is wrong. Whoever names it begins with Says, adds what
// was measured behind a colon, and gives Mend as what to do.
type Cause struct {
	// Code is the same in health's issues and in doctor's checks.
	Code string
	// Says is what is wrong.
	Says string
	// Mend is what to do about it.
	Mend string
}

// The causes, in the order in which a tick meets them.
var (
	RedisDown = Cause{"redis_unreachable", "Redis does not answer",
		"start Redis, or point REDIS_URL (--redis) at it; meanwhile no tick comes in, and AppV2 sees no health"}
	NoPublisher = Cause{"no_ticks", "nobody publishes ticks",
		"start the feed of AppV2, and see that it publishes to this channel of this Redis"}
	BridgeDeaf = Cause{"bridge_not_subscribed", "the bridge is not subscribed",
		"see in the bridge's log why; check its REDIS_URL (--redis), its --channel and what its Redis user may do"}
	NATSDown = Cause{"jetstream_unreachable", "NATS does not answer",
		"start the NATS server with JetStream, or point NATS_URL (--nats) at it; the bridge keeps the ticks meanwhile"}
	PipelineStalled = Cause{"pipeline_stalled", "the pipeline has stalled",
		"restart it (tickstream pipeline) and look at its log; it goes on where it was"}
	HealthDead = Cause{"health_silent", "health has stopped publishing",
		"start it again (tickstream health, or up) and look at its log"}
	NobodyListens = Cause{"nobody_listens", "nobody is subscribed to health",
		"start AppV2, or point it at this Redis: until it subscribes, its page says UNKNOWN"}
	ClockSkew = Cause{"clock_skew", "the clocks disagree",
		"let NTP set the clock of every host: by a wrong one ticks are refused, and lags and ages are measured wrong"}
)

// All lists the causes.
func All() []Cause {
	return []Cause{RedisDown, NoPublisher, BridgeDeaf, NATSDown, PipelineStalled, HealthDead, NobodyListens, ClockSkew}
}

// Sentence is what is wrong, with what was measured.
func (c Cause) Sentence(measured string) string {
	if measured == "" {
		return c.Says
	}
	return c.Says + ": " + measured
}
