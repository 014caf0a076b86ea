package bridge

import "time"

// outstanding is what was read and is neither stored, nor on disk, nor given up.
// What a bridge on standby has is the leader's as well.
func (i *Ingress) outstanding() (ticks, rejects int64) {
	if standing, _, _ := i.turn.now(); standing == standby {
		return 0, i.rejecter.pending.Load()
	}
	waiting := i.backlog.depth()
	return waiting.ticks - waiting.spooledTicks, i.rejecter.pending.Load()
}

// marksTimeout is how long a stop waits for the last clock marks, which cost
// nothing but a gap that looks longer.
const marksTimeout = time.Second

// drain waits, after the reading has ended, until all is stored, nothing is left
// that is worth the wait, or the drain timeout is over. What JetStream does not
// take goes to the spool, for the next life.
func (i *Ingress) drain(stored <-chan struct{}) {
	began := time.Now()
	check := time.NewTicker(10 * time.Millisecond)
	defer check.Stop()
	for time.Since(began) < i.cfg.DrainTimeout {
		ticks, rejects := i.outstanding()
		if ticks+rejects == 0 && (!i.js.Conn().IsConnected() || time.Since(began) > marksTimeout && i.backlog.depth().ticks == 0) {
			return
		}
		if ticks > 0 && i.backlog.spool != nil && !i.js.Conn().IsConnected() {
			i.backlog.note(i.backlog.spill())
		}
		select {
		case <-stored:
			return
		case <-check.C:
		}
	}
	if i.backlog.spool != nil {
		i.backlog.note(i.backlog.spill())
	}
}
