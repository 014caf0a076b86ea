package indicator

import (
	"math"

	"github.com/tickstock/tickstream/pipeline/encoded"
)

// The series that a state keeps a stretch of.
const (
	closes = iota
	volumes
	highs
	lows
	seriesCount
)

// longestRing is how many values the longest ring of the catalogue has.
const longestRing = 199

// ring is where the latest values of a series stand in State.units: as many
// as the longest look back needs beside the newest value itself. The value of
// candle i is at place i mod size.
type ring struct{ first, size int }

// inFloats stands for the decimals of a ring whose values are in State.floats:
// they are no multiples of 10^-9 that fit 32 bits.
const inFloats = encoded.MaxDecimals + 1

// at returns the value at a place of a series' ring.
func (st *State) at(which, place int) float64 {
	place += st.set.rings[which].first
	if decimals := int(st.decimals[which]); decimals != inFloats {
		return encoded.FromUnits(int64(st.units[place]), decimals)
	}
	return st.floats[place]
}

// ago returns the value of a series n candles before the one being added;
// 1 is the latest in the ring, and n at most its size and the candles seen.
func (st *State) ago(which, n int) float64 {
	place := int(st.next[which]) - n
	if place < 0 {
		place += st.set.rings[which].size
	}
	return st.at(which, place)
}

// push adds the newest value over the oldest.
func (st *State) push(which int, x float64) {
	r := &st.set.rings[which]
	if r.size == 0 {
		return
	}
	place := int(st.next[which])
	for !st.put(which, place, x) {
		st.refine(which)
	}
	if place++; place == r.size {
		place = 0
	}
	st.next[which] = int32(place)
}

// put stores a value, unless the ring's decimals cannot hold it.
func (st *State) put(which, place int, x float64) bool {
	place += st.set.rings[which].first
	decimals := int(st.decimals[which])
	if decimals == inFloats {
		st.floats[place] = x
		return true
	}
	units, exact := encoded.ToUnits(x, decimals)
	if !exact || units != int64(int32(units)) { //nolint:gosec // that is asked
		return false
	}
	st.units[place] = int32(units) //nolint:gosec // it fits
	return true
}

// refine gives a ring one decimal more, or floats where there is none that its
// values fit.
func (st *State) refine(which int) {
	r := &st.set.rings[which]
	units := st.units[r.first : r.first+r.size]
	if st.decimals[which]++; st.decimals[which] < inFloats {
		for _, u := range units {
			if u > math.MaxInt32/10 || u < math.MinInt32/10 {
				st.decimals[which]--
				st.spread(which)
				return
			}
		}
		for i := range units {
			units[i] *= 10
		}
		return
	}
	st.decimals[which]--
	st.spread(which)
}

// spread makes a ring one of floats.
func (st *State) spread(which int) {
	if st.floats == nil {
		st.floats = make([]float64, len(st.units))
	}
	r := &st.set.rings[which]
	for place := range r.size {
		st.floats[r.first+place] = st.at(which, place)
	}
	st.decimals[which] = inFloats
}

// kept returns how many values of a series the ring holds.
func (st *State) kept(which int) int {
	return int(min(st.seen, int64(st.set.rings[which].size)))
}

// appendRing appends the values from the oldest.
func (st *State) appendRing(b []byte, which int) []byte {
	var values [longestRing]float64
	kept := st.kept(which)
	for n := kept; n > 0; n-- {
		values[kept-n] = st.ago(which, n)
	}
	return encoded.AppendFloats(b, values[:kept])
}

// readRing fills a ring for st.seen candles, and tells whether it makes sense.
func (st *State) readRing(r *encoded.Reader, which int) bool {
	var values [longestRing]float64
	// The place of a candle is its number mod size, in a decoded state too.
	kept, size := st.kept(which), st.set.rings[which].size
	if size > 0 {
		st.next[which] = int32((st.seen - int64(kept)) % int64(size))
	}
	r.Floats(values[:kept])
	sound := true
	for _, x := range values[:kept] {
		sound = sound && within(x)
		st.push(which, x)
	}
	return sound
}
