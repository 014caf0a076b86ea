package figure

// Use is what one process spent on a figure, medians over the rounds.
type Use struct {
	Process string `json:"process"`
	// CPU in seconds, and in microseconds for each tick.
	CPU        float64 `json:"cpu_seconds"`
	CPUPerTick float64 `json:"cpu_microseconds_per_tick"`
	// RSS is the highest that was seen in any round, in bytes.
	RSS float64 `json:"rss_peak_bytes"`
	// Allocations for each tick; negative where the process does not tell.
	Allocations float64 `json:"allocations_per_tick"`
}

// Row is one figure.
type Row struct {
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Values Series `json:"values"` // one a round
	// Ratio to the ceiling in each round; none for a ceiling.
	Ratio Series `json:"ratio,omitempty"`
	Uses  []Use  `json:"uses,omitempty"`
}

// Verdict is whether a target is met.
type Verdict struct {
	Target   string `json:"target"`
	Wanted   string `json:"wanted"`
	Measured string `json:"measured"`
	Met      bool   `json:"met"`
}

// Part is what one benchmark gives.
type Part struct {
	Name     string    `json:"name"`
	Rows     []Row     `json:"rows"`
	Verdicts []Verdict `json:"verdicts"`
	// Notes say how it was measured; Problems are ticks lost and the like.
	Notes    []string `json:"notes,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Report is a whole run.
type Report struct {
	Machine string `json:"machine"`
	Servers string `json:"servers"`
	Rounds  int    `json:"rounds"`
	Parts   []Part `json:"parts"`
}

// OK tells whether nothing was wrong while measuring; a target that is missed
// is not wrong.
func (r *Report) OK() bool {
	for _, p := range r.Parts {
		if len(p.Problems) > 0 {
			return false
		}
	}
	return true
}
