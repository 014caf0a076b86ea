// Package figure holds what benchmarks measure: series with their medians,
// shares of a ceiling, targets and verdicts, and the table of them all.
package figure

import (
	"math"
	"slices"
	"time"
)

// Series is one number measured in several rounds.
type Series []float64

// Median is the middle one, of an even number the mean of the middle two; NaN
// of none.
func (s Series) Median() float64 {
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Min and Max are the extremes; NaN of none.
func (s Series) Min() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Min(s)
}

// Max is the greatest.
func (s Series) Max() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	return slices.Max(s)
}

// Over is the share of ceiling in each round that both have.
func (s Series) Over(ceiling Series) Series {
	shares := make(Series, min(len(s), len(ceiling)))
	for i := range shares {
		shares[i] = s[i] / ceiling[i]
	}
	return shares
}

// Delays are times of single ticks.
type Delays []time.Duration

// Quantile is the time that a share q of them does not exceed, in milliseconds.
func (d Delays) Quantile(q float64) float64 {
	if len(d) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(d))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return float64(sorted[min(max(rank, 0), len(sorted)-1)]) / float64(time.Millisecond)
}
