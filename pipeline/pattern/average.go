package pattern

// A running total belongs to a measure, a period and the bar at which the
// library first adds to it: a pattern that can first judge bar L, and asks
// about the bar b before it, starts its total at bar L−b−period. Patterns that
// agree in all three share a total. The number in the name is that first bar.
const (
	body0  = iota // 10 bodies: long, and short
	body1         //
	body2         //
	range0        // 10 high-low ranges: a doji's body, and a very short shadow
	range1        //
	range2        //
	range3        //
	near5         // 5 high-low ranges: near, and far
	near6         //
	totalCount
)

const (
	longPeriod = 10
	nearPeriod = 5
)

// totals holds each running total as it stands for one bar.
type totals [totalCount]float64

// firstBar returns the bar at which total k begins, and the bars it covers.
func firstBar(k int) (first, period int64) {
	switch {
	case k < range0:
		return int64(k - body0), longPeriod
	case k < near5:
		return int64(k - range0), longPeriod
	}
	return int64(k-near5) + nearPeriod, nearPeriod
}

// advance moves the totals past bar number i: newest is that bar, old and
// oldNear are those ten and five bars before it (unused while there are none).
func (t *totals) advance(i int64, newest, oldNear, old *ohlc) {
	for k := range t {
		first, period := firstBar(k)
		if i < first {
			continue
		}
		gone := old
		if period == nearPeriod {
			gone = oldNear
		}
		warm := i >= first+period
		if k < range0 {
			t[k] += change(newest.body(), gone.body(), warm)
		} else {
			t[k] += change(newest.span(), gone.span(), warm)
		}
	}
}

// change is what a total gains by a bar: while it fills, the bar's own
// measure; afterwards the difference as one number, as the library adds it
// (the rounding would differ if the two were applied one after the other).
func change(in, gone float64, warm bool) float64 {
	if warm {
		return in - gone
	}
	return in
}
