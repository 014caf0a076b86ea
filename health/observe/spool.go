package observe

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/tickstock/tickstream/pipeline/presence"
)

const (
	// spoolNearlyFull is the share of the spool's bound from which on it is said
	// to be.
	spoolNearlyFull = 0.8
	// damageTold is how long after its start a bridge's damaged spool is an issue.
	damageTold = 10 * time.Minute
)

// spools examines what of the bridges waits on disk, and whether it can.
func (e *examination) spools() {
	var ticks, bytes int64
	for _, report := range e.with(presence.RoleBridge) {
		b := report.Bridge
		if b == nil {
			continue
		}
		ticks, bytes = ticks+b.SpooledTicks, bytes+b.SpooledBytes
		if b.SpoolFailure != "" {
			e.add(SeverityWarning, CodeSpoolFailed, report.Instance, "make room on the disk of the bridge's --spool folder, or mend what it says; meanwhile ticks wait in memory only",
				"the bridge cannot use its spool%s", because(b.SpoolFailure))
		}
		if max := b.SpoolMaxBytes; max > 0 && e.above(CodeSpoolNearlyFull, report.Instance, float64(b.SpooledBytes)/float64(max), spoolNearlyFull) {
			e.add(SeverityWarning, CodeSpoolNearlyFull, report.Instance, "see why JetStream takes no ticks, or give the bridge a larger --spool-bytes: beyond it memory is used, and then the oldest ticks are given up",
				"the bridge's spool is %.0f %% full: %s of %s", 100*float64(b.SpooledBytes)/float64(max), size(b.SpooledBytes), size(max))
		}
		if b.SpoolDamaged > 0 && e.s.Now.Sub(report.StartedAt) < damageTold {
			e.add(SeverityWarning, CodeSpoolDamaged, report.Instance, "check the disk of the bridge's --spool folder",
				"%s of the bridge's spool could not be read when it started, and the ticks in them are lost", size(b.SpoolDamaged))
		}
		if off := time.Duration(b.ClockOffMs) * time.Millisecond; off != 0 {
			e.add(SeverityWarning, CodeClockStepped, report.Instance, "check the time service of the bridge's host; a step that is right is taken over after five minutes",
				"the clock of the bridge's host was stepped %s: bars are closed by the time before", direction(off))
		}
	}
	if ticks > 0 {
		e.add(SeverityWarning, CodeSpooling, presence.RoleBridge, "nothing is lost while there is room: see why JetStream does not take ticks, or wait until it has caught up",
			"%s (%s) wait on the bridge's disk for JetStream", count(ticks, "tick"), size(bytes))
	}
}

func direction(off time.Duration) string {
	if off < 0 {
		return fmt.Sprintf("back by %s", short(-off))
	}
	return fmt.Sprintf("forward by %s", short(off))
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }
