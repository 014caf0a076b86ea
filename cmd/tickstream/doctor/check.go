package doctor

import "github.com/tickstock/tickstream/health/cause"

// State is the outcome of a check.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning" // worth knowing, nothing is broken
	Failed  State = "failed"
	Skipped State = "skipped" // says nothing new, or could not be seen
)

// Check is one line of the report.
type Check struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail"`
	Mend   string `json:"mend,omitempty"`
	// Code is that of the cause, as in health's issues; empty for what is no
	// cause of its own.
	Code string `json:"code,omitempty"`
	// Cause is the check that this one follows from.
	Cause string `json:"cause,omitempty"`
}

// Healthy is whether no check failed.
func Healthy(checks []Check) bool {
	for _, c := range checks {
		if c.State == Failed {
			return false
		}
	}
	return true
}

// verdict is what one check finds.
type verdict struct {
	state        State
	detail, mend string
	code         string // of the cause
}

func ok(detail string) verdict            { return verdict{OK, detail, "", ""} }
func warning(detail, mend string) verdict { return verdict{Warning, detail, mend, ""} }
func failed(detail, mend string) verdict  { return verdict{Failed, detail, mend, ""} }
func notToSee(detail string) verdict      { return verdict{Skipped, detail, "", ""} }

// blame is that something is as a cause says.
func blame(state State, c cause.Cause, measured string) verdict {
	return verdict{state, c.Sentence(measured), c.Mend, c.Code}
}
func failedIf(err, what string) (v verdict, bad bool) {
	return failed(err, what), err != ""
}

// report collects checks in the order of the hops. A check whose prerequisite
// failed is skipped and names the first cause, so that one fault gives one
// failure.
type report struct {
	checks []Check
	cause  map[string]string // by the id of a check that did not come off
}

func (r *report) add(id, name string, needs []string, judge func() verdict) {
	check := Check{ID: id, Name: name}
	for _, need := range needs {
		if cause, bad := r.cause[need]; bad {
			check.State, check.Detail, check.Cause = Skipped, "follows from: "+cause, cause
			r.cause[id] = cause
			r.checks = append(r.checks, check)
			return
		}
	}
	v := judge()
	check.State, check.Detail, check.Mend, check.Code = v.state, v.detail, v.mend, v.code
	if v.state == Failed {
		r.cause[id] = name
	}
	r.checks = append(r.checks, check)
}
