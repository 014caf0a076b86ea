package bridge

import "time"

// outstanding is what was read and neither stored nor given up.
func (i *Ingress) outstanding() (ticks, rejects int64) {
	ticks, _, _ = i.queue.depth()
	return ticks, i.rejecter.pending.Load()
}

// marksTimeout is how long a stop waits for the last clock marks, which cost
// nothing but a gap that looks longer.
const marksTimeout = time.Second

// drain waits, after the reading has ended, until all is stored, nothing is left
// that is worth the wait, or the drain timeout is over.
func (i *Ingress) drain(stored <-chan struct{}) {
	began := time.Now()
	check := time.NewTicker(10 * time.Millisecond)
	defer check.Stop()
	for time.Since(began) < i.cfg.DrainTimeout {
		ticks, rejects := i.outstanding()
		if ticks+rejects == 0 && (!i.js.Conn().IsConnected() || time.Since(began) > marksTimeout) {
			return
		}
		select {
		case <-stored:
			return
		case <-check.C:
		}
	}
}
