package universe_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tickstock/tickstream/health/universe"
)

// shapes are the values that cache_entries is known to hold, here and in the
// database tests. jsonb marks those that a jsonb column can hold.
var shapes = []struct {
	name, value string
	jsonb       bool
	want        []string
}{
	{"stocks", `{"stocks":[{"ticker":"AAPL","name":"Apple"},{"ticker":"BRK.B"}],"count":2}`, true, []string{"AAPL", "BRK.B"}},
	{"symbols as strings", `{"symbols":["MSFT","AAPL"]}`, true, []string{"MSFT", "AAPL"}},
	{"symbols as objects", `{"symbols":[{"ticker":"MSFT"},{"symbol":"AAPL"},"NVDA"]}`, true, []string{"MSFT", "AAPL", "NVDA"}},
	{"symbols as one string", `{"symbols":"AAPL, MSFT"}`, true, []string{"AAPL", "MSFT"}},
	{"etfs", `{"etfs":[{"ticker":"SPY"},{"ticker":"QQQ"}]}`, true, []string{"SPY", "QQQ"}},
	{"stocks and etfs", `{"etfs":[{"ticker":"SPY"}],"symbols":null,"stocks":[{"ticker":"AAPL"}]}`, true, []string{"AAPL", "SPY"}},
	{"array of strings", `["AAPL","MSFT"]`, true, []string{"AAPL", "MSFT"}},
	{"array of objects", `[{"ticker":"AAPL"},{"symbol":"MSFT"},{"ticker":"","symbol":"NVDA"}]`, true, []string{"AAPL", "MSFT", "NVDA"}},
	{"string of an object", `"{\"stocks\":[{\"ticker\":\"AAPL\"}],\"count\":1}"`, true, []string{"AAPL"}},
	{"string of an array", `"[\"AAPL\",\"MSFT\"]"`, true, []string{"AAPL", "MSFT"}},
	{"string of a list", `"AAPL,MSFT"`, true, []string{"AAPL", "MSFT"}},
	{"bare list", "AAPL, MSFT,\n NVDA,,", false, []string{"AAPL", "MSFT", "NVDA"}},
	{"one bare symbol", "NULL", false, []string{"NULL"}},
	{"order, case, blanks, twins", `["nvda"," AAPL ","NVDA","aapl","MSFT"]`, true, []string{"NVDA", "AAPL", "MSFT"}},
	{"odd symbols", `["BF/B","^SPX","BTC-USD","O:SPY251219C00650000"]`, true, []string{"BF/B", "^SPX", "BTC-USD", "O:SPY251219C00650000"}},
}

func TestParseShapes(t *testing.T) {
	for _, tt := range shapes {
		t.Run(tt.name, func(t *testing.T) {
			for _, raw := range []string{tt.value, "\ufeff \n" + tt.value + "\n"} {
				got, skipped, err := universe.Parse([]byte(raw))
				if err != nil || skipped != 0 || !slices.Equal(got, tt.want) {
					t.Errorf("Parse(%q) = %v, %d, %v; want %v", raw, got, skipped, err, tt.want)
				}
			}
		})
	}
}

func TestParseSkips(t *testing.T) {
	long := strings.Repeat("A", 64)
	tests := []struct {
		name, value string
		want        []string
		skipped     int
	}{
		{"other types", `["AAPL",1,null,true,["MSFT"],{"name":"x"},{"ticker":7},"MSFT"]`, []string{"AAPL", "MSFT"}, 6},
		{"empty and blank", `["","  ","AAPL"]`, []string{"AAPL"}, 2},
		{"unprintable", `["A\u0000B","A\nB","A\u200bB","AAPL"]`, []string{"AAPL"}, 3},
		{"unprintable in a list", "AA\x00PL,MSFT\nNVDA,QQQ", []string{"QQQ"}, 2},
		{"broken text", "AAPL,M\xffSFT", []string{"AAPL"}, 1},
		{"broken text in JSON", "[\"AAPL\",\"M\xffSFT\"]", []string{"AAPL"}, 1},
		{"64 bytes are the most", `["` + long + `","` + long + `A"]`, []string{long}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, skipped, err := universe.Parse([]byte(tt.value))
			if err != nil || skipped != tt.skipped || !slices.Equal(got, tt.want) {
				t.Errorf("Parse = %v, %d, %v; want %v, %d skipped", got, skipped, err, tt.want, tt.skipped)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		value, want string
		none        bool // ErrNoSymbols
	}{
		{"", "empty value", false},
		{" \n", "empty value", false},
		{`""`, "empty value", false},
		{"null", "null is no list", false},
		{"12.5", "number", false},
		{"true", "number, true", false},
		{`{"stocks":[{"ticker":"AAPL"}`, "unexpected end", false},
		{`["AAPL",`, "unexpected end", false},
		{`{"tickers":["AAPL"]}`, "without stocks, etfs or symbols", false},
		{`{"symbols":7}`, "number", false},
		{`{"symbols":{"symbols":{"symbols":{"symbols":{"symbols":["A"]}}}}}`, "nested", false},
		{`[]`, "holds no symbols", true},
		{`{"stocks":[],"count":0}`, "holds no symbols", true},
		{`[1,2]`, "2 entries skipped", true},
		{",,", "holds no symbols", true},
	}
	for _, tt := range tests {
		got, _, err := universe.Parse([]byte(tt.value))
		if err == nil || !strings.Contains(err.Error(), tt.want) || got != nil {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", tt.value, got, err, tt.want)
		}
		if errors.Is(err, universe.ErrNoSymbols) != tt.none {
			t.Errorf("Parse(%q): %v is ErrNoSymbols: want %v", tt.value, err, tt.none)
		}
	}
}

// No input panics; what is given is clean, and parses to itself.
func FuzzParse(f *testing.F) {
	for _, s := range shapes {
		f.Add([]byte(s.value))
	}
	f.Add([]byte(`["A\u0000B",1,{"ticker":7},"\ufffd"]`))
	f.Add([]byte("A,\xff,null"))
	f.Add([]byte(`{"symbols":{"symbols":{"symbols":"\"A\""}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		symbols, skipped, err := universe.Parse(raw)
		if skipped < 0 || (err == nil) != (len(symbols) > 0) {
			t.Fatalf("Parse(%q) = %q, %d, %v", raw, symbols, skipped, err)
		}
		if err != nil {
			return
		}
		for _, s := range symbols {
			if len(s) > 64 || !utf8.ValidString(s) || s != strings.TrimSpace(s) || s != strings.ToUpper(s) ||
				strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("Parse(%q) accepted %q", raw, s)
			}
		}
		encoded, err := json.Marshal(symbols)
		if err != nil {
			t.Fatal(err)
		}
		again, skipped, err := universe.Parse(encoded)
		if err != nil || skipped != 0 || !slices.Equal(again, symbols) {
			t.Errorf("Parse(%s) = %q, %d, %v; want the same symbols", encoded, again, skipped, err)
		}
	})
}
