package tick

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends to dst the string whose raw text, between the quotes, is
// text as [scanString] accepted it. Half a surrogate pair becomes U+FFFD.
func unescape(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			dst = append(dst, text[i])
			i++
			continue
		}
		i += 2
		switch c := text[i-1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := codeUnit(text[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				high := r
				r = utf8.RuneError
				if i+6 <= len(text) && text[i] == '\\' && text[i+1] == 'u' {
					if pair := utf16.DecodeRune(high, codeUnit(text[i+2:])); pair != utf8.RuneError {
						r = pair
						i += 6
					}
				}
			}
			dst = utf8.AppendRune(dst, r)
		default: // quote, backslash, slash
			dst = append(dst, c)
		}
	}
	return dst
}

// codeUnit reads four hexadecimal digits.
func codeUnit(text []byte) rune {
	var unit rune
	for _, c := range text[:4] {
		unit = unit<<4 | rune(unhex(c))
	}
	return unit
}

// unhex is the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case c-'0' <= 9:
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
