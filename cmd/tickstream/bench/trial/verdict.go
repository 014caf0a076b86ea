package trial

import (
	"fmt"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/figure"
)

// atLeast is met where the median share of a ceiling is as great as wanted.
func atLeast(target string, ratio figure.Series, wanted float64, ceiling string) figure.Verdict {
	return figure.Verdict{
		Target: target, Wanted: fmt.Sprintf("≥ %g × %s", wanted, ceiling),
		Measured: fmt.Sprintf("%.2f ×", ratio.Median()), Met: ratio.Median() >= wanted,
	}
}

// atMost is met where the median is not above what is wanted.
func atMost(target string, values figure.Series, wanted float64, unit string) figure.Verdict {
	return figure.Verdict{
		Target: target, Wanted: fmt.Sprintf("≤ %g %s", wanted, unit),
		Measured: figure.Number(values.Median()) + " " + unit, Met: values.Median() <= wanted,
	}
}
