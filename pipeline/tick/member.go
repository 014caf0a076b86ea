package tick

// state is what a member's value turned out to be.
type state uint8

const (
	isAbsent state = iota // or null
	isText
	isNumber
	isOther      // of a type that has no meaning here
	isNegative   // a number below zero
	isTooSmall   // a number that is not zero but rounds to it
	isOutOfRange // a number beyond what its type holds
)

// member is one value of a payload's object.
type member struct {
	start, end int32 // of the literal, of a string's text between its quotes
	state      state
	escaped    bool
}

// literal is the value as the payload has it.
func (m *member) literal(p []byte) []byte { return p[m.start:m.end:m.end] }

// text is the string's value: part of p where it has no escapes.
func (m *member) text(p []byte) []byte {
	switch {
	case m.state != isText || m.start == m.end:
		return nil
	case m.escaped:
		return unescape(make([]byte, 0, m.end-m.start), m.literal(p))
	}
	return m.literal(p)
}

func (m *member) scanText(p []byte, i int) (end int, ok bool) {
	if i >= len(p) || p[i] != '"' {
		return m.scanOther(p, i)
	}
	end, escaped, ok := scanString(p, i)
	*m = member{start: int32(i + 1), end: int32(end - 1), state: isText, escaped: escaped}
	return end, ok
}

func (m *member) scanDecimal(p []byte, i int, value *Decimal) (end int, ok bool) {
	*value = 0
	if !startsNumber(p, i) {
		return m.scanOther(p, i)
	}
	n, end, ok := scanNumber(p, i)
	*m = member{start: int32(i), end: int32(end)}
	*value, m.state = n.decimal()
	return end, ok
}

func (m *member) scanTimestamp(p []byte, i int, nanos *int64) (end int, ok bool) {
	if !startsNumber(p, i) {
		return m.scanText(p, i) // parsed at the end: a later duplicate would win
	}
	n, end, ok := scanNumber(p, i)
	*m = member{start: int32(i), end: int32(end), state: isNumber}
	var fits bool
	if *nanos, fits = n.unixNanos(); !fits {
		m.state = isOutOfRange
	}
	return end, ok
}

func (m *member) scanOther(p []byte, i int) (end int, ok bool) {
	end, ok = skipValue(p, i, 1)
	*m = member{start: int32(i), end: int32(end), state: isOther}
	if ok && p[i] == 'n' {
		m.state = isAbsent
	}
	return end, ok
}

func startsNumber(p []byte, i int) bool {
	return i < len(p) && (p[i] == '-' || p[i]-'0' <= 9)
}

// decimal is the number as a [Decimal]; other states than isNumber and
// isTooSmall leave it zero.
func (n number) decimal() (Decimal, state) {
	if n.mantissa == 0 {
		return 0, isNumber
	}
	if n.negative {
		return 0, isNegative
	}
	scaled, ok := n.scale(decimalPlaces)
	switch {
	case !ok:
		return 0, isOutOfRange
	case scaled == 0:
		return 0, isTooSmall
	}
	return Decimal(scaled), isNumber
}
