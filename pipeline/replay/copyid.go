package replay

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// copyID begins the message ids of copies: copy.<source>.<sequence>, and
// .<part> where one message of the source becomes several. From the last one in
// the target follows how far a copy has come.
const copyID = "copy."

// wholeMessage is the part of an id that has none.
const wholeMessage = math.MaxInt

// sourceID tells one TICKS from all others: when it was made, to the nanosecond.
func sourceID(created time.Time) string {
	return copyID + strconv.FormatInt(created.UnixNano(), 36) + "."
}

// place is how far the source has been copied: including that part of the
// message with that sequence.
type place struct {
	sequence uint64
	part     int // wholeMessage is all of it
}

// holds is whether that part of that message is included.
func (p place) holds(sequence uint64, part int) bool {
	return sequence < p.sequence || sequence == p.sequence && part <= p.part
}

// id of what is at this place.
func (p place) id(source string) string {
	id := source + strconv.FormatUint(p.sequence, 10)
	if p.part != wholeMessage {
		id += "." + strconv.Itoa(p.part)
	}
	return id
}

// parsePlace is false for an id that is not of a copy of that source.
func parsePlace(source, id string) (place, bool) {
	rest, ok := strings.CutPrefix(id, source)
	if !ok {
		return place{}, false
	}
	sequence, part, parts := strings.Cut(rest, ".")
	p := place{part: wholeMessage}
	var err error
	if p.sequence, err = strconv.ParseUint(sequence, 10, 64); err != nil || p.sequence == 0 {
		return place{}, false
	}
	if parts {
		if p.part, err = strconv.Atoi(part); err != nil || p.part < 0 {
			return place{}, false
		}
	}
	return p, p.id(source) == id
}

func (p place) String() string { return fmt.Sprintf("sequence %d", p.sequence) }
