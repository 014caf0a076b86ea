package soak

import (
	"slices"
	"time"
)

// Row is what became of all faults of one kind. What was published from one
// fault to the next counts to the first of them.
type Row struct {
	Fault      string  `json:"fault"`
	Injected   int     `json:"injected"`
	Published  int     `json:"published"`
	Lost       int     `json:"lost"`
	Duplicated int     `json:"duplicated"`
	OutOfOrder int     `json:"out_of_order"`
	InGap      int     `json:"in_published_gap"`
	Wrong      int     `json:"wrong_bars_and_signals"`
	Median     float64 `json:"recovery_median_seconds"`
	Max        float64 `json:"recovery_max_seconds"`
}

// Report is the outcome of a run.
type Report struct {
	Seed    uint64  `json:"seed"`
	Rate    float64 `json:"rate"`
	Seconds float64 `json:"seconds"`
	Rows    int     `json:"rows"`
	Matrix  []Row   `json:"matrix"`
	Total   Row     `json:"total"`

	Unheard        int        `json:"unheard"` // published while nobody was subscribed
	Unanswered     int        `json:"unanswered"`
	Stored         int        `json:"stored"`
	Gaps           int        `json:"gaps"`
	Bars           int        `json:"bars"`
	Corrections    int        `json:"corrections"`
	Signals        int        `json:"signals"`
	Alerts         int        `json:"alerts"`
	TooLate        int        `json:"too_late"`
	Refused        int        `json:"refused"`
	RefusedMissing int        `json:"refused_missing"`
	RefusedTwice   int        `json:"refused_twice"`
	WrongRows      int        `json:"wrong_rows"`
	Processes      []Holdings `json:"processes"`
	Problems       []string   `json:"problems"`

	phases []int // row of each phase
}

// calm is the row of what was published before the first fault.
const calm = "none: before the first"

// rows makes a row of each kind, in the order of the list of kinds.
func (r *Report) rows(faults []injected) {
	r.Matrix, r.phases = []Row{{Fault: calm}}, []int{0}
	index := map[string]int{}
	recoveries := map[string][]time.Duration{}
	for _, k := range allKinds() {
		if slices.ContainsFunc(faults, func(f injected) bool { return f.kind.name == k.name }) {
			index[k.name] = len(r.Matrix)
			r.Matrix = append(r.Matrix, Row{Fault: k.name})
		}
	}
	var all []time.Duration
	for _, f := range faults {
		r.phases = append(r.phases, index[f.kind.name])
		r.Matrix[index[f.kind.name]].Injected++
		recoveries[f.kind.name] = append(recoveries[f.kind.name], f.recovery)
		all = append(all, f.recovery)
	}
	for i := range r.Matrix {
		r.Matrix[i].recovered(recoveries[r.Matrix[i].Fault])
	}
	r.Total.recovered(all)
}

func (row *Row) recovered(times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	row.Median, row.Max = times[len(times)/2].Seconds(), times[len(times)-1].Seconds()
}

func (r *Report) row(phase uint16) *Row {
	if int(phase) >= len(r.phases) { // TICKS could not be read
		return &r.Total
	}
	return &r.Matrix[r.phases[phase]]
}

// published counts a tick.
func (r *Report) published(t sent) {
	switch t.hearing {
	case heard:
		r.row(t.phase).Published++
	case unheard:
		r.Unheard++
	default:
		r.Unanswered++
	}
}

// sum makes the total row.
func (r *Report) sum() {
	r.Total.Fault = "total"
	for _, row := range r.Matrix {
		r.Total.Injected += row.Injected
		r.Total.Published += row.Published
		r.Total.Lost += row.Lost
		r.Total.Duplicated += row.Duplicated
		r.Total.OutOfOrder += row.OutOfOrder
		r.Total.InGap += row.InGap
		r.Total.Wrong += row.Wrong
	}
}

// OK tells whether nothing at all is wrong.
func (r *Report) OK() bool {
	t := r.Total
	return t.Lost+t.Duplicated+t.OutOfOrder+t.Wrong+r.RefusedMissing+r.RefusedTwice+r.WrongRows+len(r.Problems) == 0
}
