package tick

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The scan functions read strict JSON (RFC 8259, valid UTF-8) at an offset.
// Each returns the offset behind what it read, or that of the fault and false.

// maxDepth bounds the nesting of a payload, and so the stack.
const maxDepth = 64

// skipSpace returns the offset of the first byte at or after i that is not
// JSON's white space.
func skipSpace(p []byte, i int) int {
	for i < len(p) && p[i] <= ' ' && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t') {
		i++
	}
	return i
}

func skipValue(p []byte, i, depth int) (end int, ok bool) {
	if i >= len(p) {
		return i, false
	}
	switch p[i] {
	case '"':
		end, _, ok = scanString(p, i)
		return end, ok
	case '{':
		return skipObject(p, i, depth+1)
	case '[':
		return skipArray(p, i, depth+1)
	case 't':
		return skipWord(p, i, "true")
	case 'f':
		return skipWord(p, i, "false")
	case 'n':
		return skipWord(p, i, "null")
	default:
		_, end, ok = scanNumber(p, i)
		return end, ok
	}
}

func skipObject(p []byte, i, depth int) (end int, ok bool) {
	if depth > maxDepth {
		return i, false
	}
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == '}' {
		return i + 1, true
	}
	for {
		if i >= len(p) || p[i] != '"' {
			return i, false
		}
		if i, _, ok = scanString(p, i); !ok {
			return i, false
		}
		if i = skipSpace(p, i); i >= len(p) || p[i] != ':' {
			return i, false
		}
		if i, ok = skipValue(p, skipSpace(p, i+1), depth); !ok {
			return i, false
		}
		if i = skipSpace(p, i); i < len(p) && p[i] == '}' {
			return i + 1, true
		}
		if i >= len(p) || p[i] != ',' {
			return i, false
		}
		i = skipSpace(p, i+1)
	}
}

func skipArray(p []byte, i, depth int) (end int, ok bool) {
	if depth > maxDepth {
		return i, false
	}
	i = skipSpace(p, i+1)
	if i < len(p) && p[i] == ']' {
		return i + 1, true
	}
	for {
		if i, ok = skipValue(p, i, depth); !ok {
			return i, false
		}
		if i = skipSpace(p, i); i < len(p) && p[i] == ']' {
			return i + 1, true
		}
		if i >= len(p) || p[i] != ',' {
			return i, false
		}
		i = skipSpace(p, i+1)
	}
}

func skipWord(p []byte, i int, word string) (end int, ok bool) {
	if !startsWith(p, i, word) {
		return i, false
	}
	return i + len(word), true
}

func startsWith(p []byte, i int, text string) bool {
	return len(p)-i >= len(text) && string(p[i:i+len(text)]) == text
}

// scanString reads the string whose opening quote is p[i] and tells whether it
// has escapes.
func scanString(p []byte, i int) (end int, escaped, ok bool) {
	i++
	for {
		for len(p)-i >= 8 {
			mask := notPlain(binary.LittleEndian.Uint64(p[i:]))
			if mask != 0 {
				i += bits.TrailingZeros64(mask) >> 3
				break
			}
			i += 8
		}
		if i >= len(p) {
			return i, escaped, false
		}
		switch c := p[i]; {
		case c == '"':
			return i + 1, escaped, true
		case c == '\\':
			escaped = true
			if i, ok = skipEscape(p, i); !ok {
				return i, true, false
			}
		case c < ' ':
			return i, escaped, false
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(p[i:])
			if r == utf8.RuneError && size == 1 {
				return i, escaped, false
			}
			i += size
		}
	}
}

// notPlain marks, by its highest bit, each of eight bytes that does not simply
// stand for itself in a string: quote, backslash, control, not ASCII. A borrow
// can mark bytes above the first such byte wrongly, never below.
func notPlain(word uint64) uint64 {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	quote, backslash := word^ones*'"', word^ones*'\\'
	return (word | (quote - ones) | (backslash - ones) | (word - ones*' ')) & highs
}

func skipEscape(p []byte, i int) (end int, ok bool) {
	i++
	if i >= len(p) {
		return i, false
	}
	switch p[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1, true
	case 'u':
		for range 4 {
			if i++; i >= len(p) || unhex(p[i]) < 0 {
				return i, false
			}
		}
		return i + 1, true
	}
	return i, false
}
