package indicator

// The series that a state keeps a stretch of.
const (
	closes = iota
	volumes
	highs
	lows
	seriesCount
)

// ring is where the latest values of a series stand in State.cells: as many
// as the longest look back needs beside the newest value itself. The value of
// candle i is at place i mod size.
type ring struct{ first, size int }

// ago returns the value of a series n candles before the one being added;
// 1 is the latest in the ring, and n at most its size and the candles seen.
func (st *State) ago(which, n int) float64 {
	r := &st.set.rings[which]
	place := int(st.next[which]) - n
	if place < 0 {
		place += r.size
	}
	return st.cells[r.first+place]
}

// push adds the newest value over the oldest.
func (st *State) push(which int, x float64) {
	r := &st.set.rings[which]
	if r.size == 0 {
		return
	}
	place := int(st.next[which])
	st.cells[r.first+place] = x
	if place++; place == r.size {
		place = 0
	}
	st.next[which] = int32(place)
}

// kept returns how many values of a series the ring holds.
func (st *State) kept(which int) int {
	return int(min(st.seen, int64(st.set.rings[which].size)))
}
