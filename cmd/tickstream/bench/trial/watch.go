package trial

import (
	"context"
	"sync"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
	"github.com/tickstock/tickstream/cmd/tickstream/bench/rig"
)

const sampleEvery = 20 * time.Millisecond

// watch measures what processes spend from its beginning to its end.
type watch struct {
	processes []*rig.Process
	before    []time.Duration
	peak      []uint64
	stop      context.CancelFunc
	sampling  sync.WaitGroup
}

// observe begins; processes that are nil are left out.
func observe(ctx context.Context, processes ...*rig.Process) *watch {
	w := &watch{}
	for _, p := range processes {
		if p != nil {
			w.processes = append(w.processes, p)
		}
	}
	w.before, w.peak = make([]time.Duration, len(w.processes)), make([]uint64, len(w.processes))
	for i, p := range w.processes {
		w.before[i], _ = p.CPU() // it has just been started where it is not there
	}
	ctx, w.stop = context.WithCancel(ctx)
	w.sampling.Go(func() { // ends with stop
		for ctx.Err() == nil {
			w.sample()
			time.Sleep(sampleEvery)
		}
	})
	return w
}

func (w *watch) sample() {
	for i, p := range w.processes {
		if held, err := p.Measure(); err == nil { // else it has ended
			w.peak[i] = max(w.peak[i], held.RSS)
		}
	}
}

// spent is what one process spent.
type spent struct {
	process string
	cpu     time.Duration
	rss     uint64
}

// end returns it, by process.
func (w *watch) end() []spent {
	all := make([]spent, len(w.processes))
	for i, p := range w.processes {
		now, _ := p.CPU() // of an ended one as well
		all[i] = spent{process: p.Name, cpu: now - w.before[i]}
	}
	w.stop()
	w.sampling.Wait()
	w.sample()
	for i, peak := range w.peak {
		all[i].rss = peak
	}
	return all
}

// note puts them into the figures of a trial; allocations is what processes
// tell of themselves.
func note(m *figure.Meter, all []spent, ticks int64, allocations map[string]float64) {
	for _, s := range all {
		allocated, told := allocations[s.process]
		if !told {
			allocated = -1
		}
		m.Spent(s.process, ticks, s.cpu.Seconds(), float64(s.rss), allocated)
	}
}
