package doctor

import (
	"fmt"
	"strings"
)

// spool judges what of the bridges waits on disk, and whether it can.
func (n NATS) spool() verdict {
	var ticks, shed int64
	var failures []string
	nearlyFull := ""
	for _, report := range n.Components {
		b := report.Bridge
		if b == nil {
			continue
		}
		ticks, shed = ticks+b.SpooledTicks, shed+b.Shed
		if b.SpoolFailure != "" {
			failures = append(failures, fmt.Sprintf("%s pid %d: %s", report.Host, report.PID, b.SpoolFailure))
		}
		if b.SpoolMaxBytes > 0 && b.SpooledBytes > b.SpoolMaxBytes*4/5 {
			nearlyFull = fmt.Sprintf("%d of %d bytes of the spool are used", b.SpooledBytes, b.SpoolMaxBytes)
		}
	}
	said := fmt.Sprintf("%d ticks wait on disk, %d were given up", ticks, shed)
	switch {
	case len(failures) > 0:
		return failed(said+"; "+strings.Join(failures, "; "), "make room on the disk of the bridge's --spool folder, or mend what it says")
	case nearlyFull != "":
		return failed(said+"; "+nearlyFull, "see why JetStream takes no ticks; give the bridge a larger --spool-bytes")
	case shed > 0:
		return warning(said, "give the bridge more --queue-bytes and --spool-bytes, and see in its log why JetStream took no ticks")
	case ticks > 0:
		return warning(said, "nothing is lost while there is room: see in the bridge's log why JetStream takes no ticks, or wait until it has caught up")
	}
	return ok("none in use, and no tick given up")
}
