package pattern

import "github.com/tickstock/tickstream/pipeline/candle"

// ringBars is how many bars a state keeps: the longest average leaves out the
// bar ten before the newest.
const ringBars = longPeriod + 1

// maxPrice bounds what a state admits, far from where sums overflow.
const maxPrice = 1e300

// State is the recognition of one symbol and timeframe: 1.1 kB, without
// pointers but to its set. It is not safe for concurrent use.
type State struct {
	set    *Set
	seen   int64          // bars admitted since the series began
	ring   [ringBars]ohlc // bar i at i mod ringBars
	totals [3]totals      // as they stand for the next bar, and stood for the two before
	swings swings
}

// Update adds a closed bar and appends what it completes to out, in the order
// of the set's definitions. It does not allocate while out has room (one match
// per definition at most).
//
// A bar with a price that is not a number, or beyond ±1e300, cannot enter an
// average: it matches nothing, and the series begins anew after it.
func (st *State) Update(c candle.Candle, out []Match) []Match {
	if !st.admitRing(c) {
		return out
	}
	broken := st.swings.observe(st)
	out = st.judge(&broken, out)
	st.rollTotals()
	return out
}

// Peek returns what Update would, and leaves the state as it is: for a bar
// that is still forming.
func (st *State) Peek(c candle.Candle, out []Match) []Match {
	next := *st
	return next.Update(c, out)
}

// Copy makes st equal to from, and independent of it.
func (st *State) Copy(from *State) { *st = *from }

// admit adds a bar without judging it.
func (st *State) admit(c candle.Candle) {
	if st.admitRing(c) {
		st.swings.observe(st)
		st.rollTotals()
	}
}

// admitRing puts c into the ring, or empties the state if c is unusable.
func (st *State) admitRing(c candle.Candle) bool {
	b := ohlc{start: c.Start, open: c.Open, high: c.High, low: c.Low, close: c.Close}
	if !b.usable() {
		*st = State{set: st.set}
		return false
	}
	*st.bar(st.seen) = b
	st.seen++
	return true
}

// usable tells that every price is a number within bounds.
func (b *ohlc) usable() bool {
	for _, p := range [...]float64{b.open, b.high, b.low, b.close} {
		if !(p >= -maxPrice && p <= maxPrice) {
			return false
		}
	}
	return true
}

// bar returns the place of bar number i.
func (st *State) bar(i int64) *ohlc { return &st.ring[i%ringBars] }

// judge asks every pattern of the set about the newest bar. The totals are
// still those that exclude it.
func (st *State) judge(broken *breaks, out []Match) []Match {
	i := st.seen - 1
	v := st.view(i)
	for index := range st.set.definitions {
		d := &st.set.definitions[index]
		if d.kind >= headAndShoulders {
			if m := &broken[d.kind-headAndShoulders]; m.Score != 0 {
				m.Pattern = index
				out = append(out, *m)
			}
			continue
		}
		if i < int64(d.Lookback) {
			continue
		}
		if score, confidence := v.recognise(d.kind); score != 0 {
			out = append(out, Match{Pattern: index, Score: score, Confidence: clamp(confidence), Bars: d.Bars})
		}
	}
	return out
}

// view lays out bar i and those before it.
func (st *State) view(i int64) (v view) {
	for back := range min(int64(len(v.bars)), i+1) {
		v.bars[back] = newShape(st.bar(i - back))
	}
	for back := range v.means {
		for k := range v.means[back] {
			first, period := firstBar(k)
			// A total that is still filling is of use to confidence alone.
			count := max(1, min(period, i-int64(back)-first))
			v.means[back][k] = st.totals[back][k] / float64(count)
		}
	}
	return v
}

// rollTotals takes the newest bar into the totals.
func (st *State) rollTotals() {
	i := st.seen - 1
	st.totals[2], st.totals[1] = st.totals[1], st.totals[0]
	// Before ten bars there are none to leave out, and advance reads neither.
	st.totals[0].advance(i, st.bar(i), st.bar(max(i-nearPeriod, 0)), st.bar(max(i-longPeriod, 0)))
}
