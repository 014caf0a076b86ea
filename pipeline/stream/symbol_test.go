package stream_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/stream"
)

func TestEncodeSymbol(t *testing.T) {
	for _, c := range []struct{ symbol, token string }{
		{"AAPL", "AAPL"},
		{"BRK.B", "BRK=2EB"},
		{"BF/B", "BF/B"},
		{"O:SPY251219C00650000", "O:SPY251219C00650000"},
		{"^SPX", "^SPX"},
		{"BTC-USD", "BTC-USD"},
		{"EUR/USD", "EUR/USD"},
		{"*", "=2A"},
		{">", "=3E"},
		{"A B", "A=20B"},
		{"A=B", "A=3DB"},
		{"a", "a"},
		{"é", "=C3=A9"},
		{"", ""},
	} {
		if got := stream.EncodeSymbol(c.symbol); got != c.token {
			t.Errorf("EncodeSymbol(%q) = %q, want %q", c.symbol, got, c.token)
		}
		if c.symbol == "" {
			continue
		}
		if got, err := stream.DecodeSymbol(c.token); err != nil || got != c.symbol {
			t.Errorf("DecodeSymbol(%q) = %q, %v; want %q", c.token, got, err, c.symbol)
		}
	}
}

func TestDecodeSymbolRefusesWhatIsNotCanonical(t *testing.T) {
	for _, token := range []string{"", ".", "A.B", "=", "=2", "=2e", "=41", "=GG", "A B", "*", ">", "A=2", "\x00", "é"} {
		if symbol, err := stream.DecodeSymbol(token); err == nil {
			t.Errorf("DecodeSymbol(%q) = %q, want an error", token, symbol)
		}
	}
}

func FuzzSymbol(f *testing.F) {
	for _, seed := range []string{"AAPL", "BRK.B", "*", ">", "=2E", "a=b", "\xff", "O:SPY251219C00650000"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, symbol []byte) {
		token := stream.EncodeSymbol(symbol)
		if strings.ContainsAny(token, ".*> \t\r\n\x00") {
			t.Fatalf("token %q of %q is not one safe token", token, symbol)
		}
		if len(symbol) > 0 {
			back, err := stream.DecodeSymbol(token)
			if err != nil || !bytes.Equal([]byte(back), symbol) {
				t.Fatalf("DecodeSymbol(%q) = %q, %v; want %q", token, back, err, symbol)
			}
		}
		// Whatever is accepted as a token is the one token of its symbol.
		if symbolOf, err := stream.DecodeSymbol(string(symbol)); err == nil && stream.EncodeSymbol(symbolOf) != string(symbol) {
			t.Fatalf("two tokens for %q: %q and %q", symbolOf, symbol, stream.EncodeSymbol(symbolOf))
		}
	})
}
