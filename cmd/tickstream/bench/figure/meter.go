package figure

import (
	"math"
	"slices"
)

// Meter gathers what processes spent, round by round.
type Meter struct {
	order []string
	rows  map[string]*spent
}

type spent struct {
	cpu, ticks, allocations Series
	rss                     float64
}

// NewMeter begins with nothing.
func NewMeter() *Meter { return &Meter{rows: map[string]*spent{}} }

// Spent notes one round of one process: CPU seconds and objects allocated for so
// many ticks, and its highest memory. Allocations are negative where the process
// does not tell.
func (m *Meter) Spent(process string, ticks int64, cpu, rss, allocations float64) {
	s := m.rows[process]
	if s == nil {
		s = &spent{}
		m.rows[process] = s
		m.order = append(m.order, process)
	}
	s.cpu, s.ticks, s.allocations = append(s.cpu, cpu), append(s.ticks, float64(ticks)), append(s.allocations, allocations)
	s.rss = max(s.rss, rss)
}

// Uses are the medians.
func (m *Meter) Uses() []Use {
	uses := make([]Use, 0, len(m.order))
	for _, name := range m.order {
		s := m.rows[name]
		use := Use{Process: name, CPU: s.cpu.Median(), CPUPerTick: 1e6 * s.cpu.Over(s.ticks).Median(), RSS: s.rss, Allocations: -1}
		if !slices.ContainsFunc(s.allocations, func(n float64) bool { return n < 0 || math.IsNaN(n) }) {
			use.Allocations = s.allocations.Over(s.ticks).Median()
		}
		uses = append(uses, use)
	}
	return uses
}
