package metrics

import (
	"time"

	"github.com/tickstock/tickstream/pipeline/presence"
)

var (
	bridgeActive         = gauge("bridge_active", "Whether this bridge stores what it reads; one on standby only reads.")
	bridgeSubscribed     = gauge("bridge_subscribed", "Whether the bridge reads its source.")
	bridgeSubscriptions  = counter("bridge_subscriptions", "How often the bridge began to read its source.")
	bridgeConnectFaults  = counter("bridge_connect_failures", "How often the bridge could not connect to its source.")
	bridgeGaps           = counter("bridge_gaps", "How often a subscription was lost; what was published meanwhile may be lost with it.")
	bridgeReceived       = counter("bridge_messages_received", "Messages read from the source.")
	bridgeStored         = counter("bridge_ticks_stored", "Ticks that JetStream acknowledged.")
	bridgeRejected       = counter("bridge_rejects", "Messages that are no tick to be stored, by reason.", "reason")
	bridgeShed           = counter("bridge_ticks_shed", "Ticks given up because memory and disk were full: these are lost.")
	bridgeSymbols        = gauge("bridge_symbols", "Symbols whose ticks are taken.")
	bridgeQueuedTicks    = gauge("bridge_queued_ticks", "Ticks read and not yet acknowledged by JetStream, on disk or in memory.")
	bridgeQueuedBytes    = gauge("bridge_queued_bytes", "Memory that ticks which await JetStream take.")
	bridgeSpooledTicks   = gauge("bridge_spooled_ticks", "Ticks on disk that await JetStream.")
	bridgeSpooledBytes   = gauge("bridge_spooled_bytes", "Disk that ticks which await JetStream take.")
	bridgeSpoolLimit     = gauge("bridge_spool_limit_bytes", "Disk that ticks may take; 0 where there is no spool.")
	bridgeSpoolDamaged   = gauge("bridge_spool_damaged_bytes", "Bytes of the spool that could not be read when the process began.")
	bridgeSpoolFailed    = gauge("bridge_spool_failed", "Whether nothing can be spooled.")
	bridgeClockOff       = gauge("bridge_clock_step_seconds", "By how much this host's clock was stepped and is not believed yet.")
	bridgePublishFaults  = counter("bridge_publish_failures", "Batches that had to be tried again.")
	bridgePublishBlocked = gauge("bridge_publish_blocked_seconds", "Time since the last acknowledgement while ticks wait; 0 while none do.")
)

// sendBridge exports a bridge's report, if there is one.
func sendBridge(s sink, b *presence.Bridge) {
	if b == nil {
		return
	}
	bridgeActive.send(s, flag(b.State == presence.StateActive || b.State == ""))
	bridgeSubscribed.send(s, flag(b.Subscribed))
	bridgeSubscriptions.send(s, float64(b.Subscriptions))
	bridgeConnectFaults.send(s, float64(b.FailedConnects))
	bridgeGaps.send(s, float64(b.Gaps))
	bridgeReceived.send(s, float64(b.Received))
	bridgeStored.send(s, float64(b.Stored))
	sendEach(s, bridgeRejected, b.Rejected)
	bridgeShed.send(s, float64(b.Shed))
	bridgeSymbols.send(s, float64(b.Symbols))
	bridgeQueuedTicks.send(s, float64(b.QueuedTicks))
	bridgeQueuedBytes.send(s, float64(b.QueuedBytes))
	bridgeSpooledTicks.send(s, float64(b.SpooledTicks))
	bridgeSpooledBytes.send(s, float64(b.SpooledBytes))
	bridgeSpoolLimit.send(s, float64(b.SpoolMaxBytes))
	bridgeSpoolDamaged.send(s, float64(b.SpoolDamaged))
	bridgeSpoolFailed.send(s, flag(b.SpoolFailure != ""))
	bridgeClockOff.send(s, seconds(b.ClockOffMs))
	bridgePublishFaults.send(s, float64(b.PublishFailures))
	bridgePublishBlocked.send(s, seconds(b.PublishBlockedMs))
}

func seconds(milliseconds int64) float64 {
	return (time.Duration(milliseconds) * time.Millisecond).Seconds()
}

var (
	egressActive    = gauge("egress_active", "Whether this process sends results to AppV2.")
	egressPublished = counter("egress_events_published", "Events sent to AppV2, by Redis channel.", "channel")
	egressUnheard   = counter("egress_events_unheard", "Events that nobody received, by Redis channel.", "channel")
	egressReceivers = gauge("egress_receivers", "Who received the last event, by Redis channel.", "channel")
	egressPending   = gauge("egress_pending_results", "Results that wait to be sent, by consumer.", "consumer")
	egressFaults    = counter("egress_failures", "Round trips to Redis that had to be tried again.")
	egressTooOld    = counter("egress_results_too_old", "Results that were not sent for their age.")
	egressMalformed = counter("egress_results_malformed", "Results that could not be read.")
)

// sendEgress exports an egress's report, if there is one.
func sendEgress(s sink, e *presence.Egress) {
	if e == nil {
		return
	}
	egressActive.send(s, flag(e.Active))
	for name, channel := range e.Channels {
		egressPublished.send(s, float64(channel.Published), name)
		egressUnheard.send(s, float64(channel.Unheard), name)
		egressReceivers.send(s, float64(channel.Receivers), name)
	}
	sendEach(s, egressPending, e.Pending)
	egressFaults.send(s, float64(e.Failures))
	egressTooOld.send(s, float64(e.TooOld))
	egressMalformed.send(s, float64(e.Malformed))
}
