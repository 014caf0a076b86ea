package tick

import (
	"math"
	"time"
)

const (
	// The seconds between which the four units do not overlap: firstSecond in
	// milliseconds has the twelve digits that no sensible second has, and
	// lastSecond is the last whole one in 64 bits of nanoseconds.
	firstSecond = 1e8
	lastSecond  = math.MaxInt64/int64(time.Second) - 1
)

// unixNanos reads n as Unix time in the unit that its magnitude tells: up to
// 11 digits before the point are seconds, 14 milliseconds, 17 microseconds,
// more nanoseconds. Decimals count, exactly, and are rounded half to even to
// nanoseconds. False if it is not positive or too late for an int64.
func (n number) unixNanos() (int64, bool) {
	if n.negative || n.mantissa == 0 {
		return 0, false
	}
	places := 0
	switch digits := n.integerDigits(); {
	case digits <= 11:
		places = 9
	case digits <= 14:
		places = 6
	case digits <= 17:
		places = 3
	}
	nanos, ok := n.scale(places)
	return int64(nanos), ok
}

// parseTimestamp reads the text of a timestamp that came as a string: a
// number, or ISO 8601. The state is isNumber, isOutOfRange or, for text that
// is neither, isOther.
func parseTimestamp(text []byte) (int64, state) {
	if n, end, ok := scanNumber(text, 0); ok && end == len(text) {
		nanos, ok := n.unixNanos()
		if !ok {
			return 0, isOutOfRange
		}
		return nanos, isNumber
	}
	return parseISO(text)
}

// parseISO reads YYYY-MM-DD, T or a space, HH:MM:SS, a fraction if any, and Z,
// ±HH:MM, ±HHMM, ±HH or nothing, which is UTC: RFC 3339 and what Python's
// isoformat and str write.
func parseISO(text []byte) (int64, state) {
	const shape = "dddd-dd-ddTdd:dd:dd"
	if len(text) < len(shape) {
		return 0, isOther
	}
	for i := range len(shape) {
		c := text[i]
		switch shape[i] {
		case 'd':
			if c-'0' > 9 {
				return 0, isOther
			}
		case 'T':
			if c != 'T' && c != 't' && c != ' ' {
				return 0, isOther
			}
		default:
			if c != shape[i] {
				return 0, isOther
			}
		}
	}
	year, month, day := twoDigits(text)*100+twoDigits(text[2:]), twoDigits(text[5:]), twoDigits(text[8:])
	hour, minute, second := twoDigits(text[11:]), twoDigits(text[14:]), twoDigits(text[17:])
	if hour > 23 || minute > 59 || second > 59 {
		return 0, isOther
	}
	date := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if date.Month() != time.Month(month) || date.Day() != day { // 31 June became 1 July
		return 0, isOther
	}

	zone, fraction := len(shape), number{}
	if zone < len(text) && text[zone] == '.' {
		zone++
		for zone < len(text) && text[zone]-'0' <= 9 {
			zone++
		}
		if zone == len(shape)+1 {
			return 0, isOther
		}
		fraction = readDigits(text[len(shape):zone])
	}
	offset, ok := parseZone(text[zone:])
	if !ok {
		return 0, isOther
	}
	seconds := date.Unix() - offset
	if seconds < 0 || seconds > lastSecond {
		return 0, isOutOfRange
	}
	nanos, _ := fraction.scale(9) // below 1, or 1 by rounding
	return seconds*int64(time.Second) + int64(nanos), isNumber
}

// parseZone reads a zone's offset east of UTC in seconds.
func parseZone(text []byte) (int64, bool) {
	switch {
	case len(text) == 0, len(text) == 1 && text[0]|0x20 == 'z':
		return 0, true
	case text[0] != '+' && text[0] != '-':
		return 0, false
	}
	digits := text[1:]
	switch {
	case len(digits) == 5 && digits[2] == ':':
		digits = []byte{digits[0], digits[1], digits[3], digits[4]}
	case len(digits) == 2:
		digits = []byte{digits[0], digits[1], '0', '0'}
	case len(digits) != 4:
		return 0, false
	}
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
	}
	hours, minutes := twoDigits(digits), twoDigits(digits[2:])
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := int64(hours*3600 + minutes*60)
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func twoDigits(text []byte) int { return int(text[0]-'0')*10 + int(text[1]-'0') }
