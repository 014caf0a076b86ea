package universe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNoSymbols comes from [Parse] for a value that is well-formed and holds
// not one symbol.
var ErrNoSymbols = errors.New("holds no symbols")

const (
	// maxSymbol is the longest symbol that ticks may carry, in bytes.
	maxSymbol = 64
	// maxBytes is the longest value, and maxSymbols the most symbols of one.
	maxBytes   = 8 << 20
	maxSymbols = 100_000
	// maxNesting bounds strings within strings and objects within objects.
	maxNesting = 4
)

// Parse reads the value of a universe in any of the shapes that occur in
// cache_entries: an object with lists under stocks, etfs or symbols (joined in
// this order), an array of strings or of objects with ticker or symbol, a JSON
// string of one of these, or a comma-separated string.
//
// Symbols are trimmed, put in upper case and given once each, in order. skipped
// counts the entries that are no symbols: of another type, empty, unprintable,
// or over 64 bytes. More than 100,000 symbols, or 8 MiB, are refused. The error is [ErrNoSymbols] or tells what is wrong.
func Parse(raw []byte) (symbols []string, skipped int, err error) {
	if len(raw) > maxBytes {
		return nil, 0, fmt.Errorf("parse universe: %d bytes or more, at most %d", len(raw), maxBytes)
	}
	p := parser{seen: map[string]bool{}}
	if err := p.value(raw, 0); err != nil {
		return nil, p.skipped, fmt.Errorf("parse universe: %w", err)
	}
	if len(p.symbols) > maxSymbols {
		return nil, p.skipped, fmt.Errorf("parse universe: more than %d symbols", maxSymbols)
	}
	if len(p.symbols) == 0 {
		return nil, p.skipped, fmt.Errorf("parse universe: value %w (%d entries skipped)", ErrNoSymbols, p.skipped)
	}
	return p.symbols, p.skipped, nil
}

type parser struct {
	symbols []string
	seen    map[string]bool
	skipped int
}

// value takes a whole value, or what stands under a key of one.
func (p *parser) value(raw []byte, nesting int) error {
	if nesting > maxNesting {
		return fmt.Errorf("nested more than %d deep", maxNesting)
	}
	raw = trim(raw)
	if len(raw) == 0 {
		return errors.New("empty value")
	}
	switch raw[0] {
	case '{':
		return p.object(raw, nesting)
	case '[':
		var entries []json.RawMessage
		if err := json.Unmarshal(raw, &entries); err != nil {
			return err
		}
		for _, entry := range entries {
			p.entry(entry)
		}
		return nil
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		return p.value([]byte(s), nesting+1)
	}
	if json.Valid(raw) {
		return errors.New("a number, true, false or null is no list of symbols")
	}
	for symbol := range strings.SplitSeq(string(raw), ",") {
		// A doubled or a last comma separates nothing.
		if strings.TrimSpace(symbol) != "" {
			p.add(symbol)
		}
	}
	return nil
}

func (p *parser) object(raw []byte, nesting int) error {
	var lists struct{ Stocks, ETFs, Symbols json.RawMessage }
	if err := json.Unmarshal(raw, &lists); err != nil {
		return err
	}
	found := false
	for _, list := range []json.RawMessage{lists.Stocks, lists.ETFs, lists.Symbols} {
		if len(list) == 0 || string(list) == "null" || string(list) == `""` {
			continue
		}
		found = true
		if err := p.value(list, nesting+1); err != nil {
			return err
		}
	}
	if !found {
		return errors.New("object without stocks, etfs or symbols")
	}
	return nil
}

// entry takes one element of an array.
func (p *parser) entry(raw json.RawMessage) {
	var symbol string
	if raw[0] == '{' {
		var fields struct{ Ticker, Symbol any }
		if json.Unmarshal(raw, &fields) == nil {
			symbol, _ = fields.Ticker.(string)
			if symbol == "" {
				symbol, _ = fields.Symbol.(string)
			}
		}
	} else if json.Unmarshal(raw, &symbol) != nil {
		symbol = ""
	}
	p.add(symbol)
}

func (p *parser) add(symbol string) {
	// U+FFFD is what the JSON decoder puts in place of broken text.
	if !utf8.ValidString(symbol) || strings.ContainsRune(symbol, utf8.RuneError) {
		p.skipped++
		return
	}
	symbol = strings.ToUpper(strings.TrimSpace(symbol))
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if symbol == "" || len(symbol) > maxSymbol || strings.ContainsFunc(symbol, unprintable) {
		p.skipped++
		return
	}
	if !p.seen[symbol] && len(p.symbols) <= maxSymbols {
		p.seen[symbol] = true
		p.symbols = append(p.symbols, symbol)
	}
}

// trim takes off blanks and the byte order mark that some editors write.
func trim(raw []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
}
