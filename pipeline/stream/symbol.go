package stream

import (
	"errors"
	"fmt"
)

// ErrSymbolToken is returned by [DecodeSymbol] for a token that [EncodeSymbol]
// does not produce: empty, a broken escape, or an escape of a byte that needs
// none.
var ErrSymbolToken = errors.New("not an encoded symbol")

const hexDigits = "0123456789ABCDEF"

// plain tells whether c stands for itself in a subject token. What is escaped
// is NATS's own syntax (dot, star, greater-than, space), the escape sign, and
// every byte that is not printable ASCII.
func plain(c byte) bool {
	switch {
	case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '/', ':', '^':
		return true
	}
	return false
}

// EncodeSymbol turns a symbol into one NATS subject token: bytes outside
// A-Z a-z 0-9 - _ / : ^ become =XX (two upper-case hexadecimal digits), so
// BRK.B is BRK=2EB. Distinct symbols give distinct tokens and [DecodeSymbol]
// is the inverse. The empty symbol gives the empty string, which is no token.
func EncodeSymbol[S ~string | ~[]byte](symbol S) string {
	return string(AppendSymbol(make([]byte, 0, len(symbol)+8), symbol))
}

// AppendSymbol appends the token of symbol to dst, as [EncodeSymbol] makes it.
func AppendSymbol[S ~string | ~[]byte](dst []byte, symbol S) []byte {
	for i := range len(symbol) {
		if c := symbol[i]; plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '=', hexDigits[c>>4], hexDigits[c&0xF])
		}
	}
	return dst
}

// DecodeSymbol is the inverse of [EncodeSymbol]. It accepts canonical tokens
// only; anything else is [ErrSymbolToken].
func DecodeSymbol(token string) (string, error) {
	if token == "" {
		return "", fmt.Errorf("decode symbol: empty token: %w", ErrSymbolToken)
	}
	symbol := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		if plain(c) {
			symbol = append(symbol, c)
			continue
		}
		if c != '=' || i+2 >= len(token) {
			return "", fmt.Errorf("decode symbol %q: %w", token, ErrSymbolToken)
		}
		high, low := unhex(token[i+1]), unhex(token[i+2])
		if high < 0 || low < 0 || plain(byte(high<<4|low)) {
			return "", fmt.Errorf("decode symbol %q: %w", token, ErrSymbolToken)
		}
		symbol = append(symbol, byte(high<<4|low))
		i += 2
	}
	return string(symbol), nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
