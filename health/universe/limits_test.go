package universe_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/health/universe"
)

// list is a JSON array of n symbols.
func list(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `,"S%d"`, i)
	}
	return "[" + s.String()[1:] + "]"
}

func TestHugeUniversesAreRefused(t *testing.T) {
	if symbols, _, err := universe.Parse([]byte(list(100_000))); err != nil || len(symbols) != 100_000 {
		t.Errorf("100,000 symbols: %d, %v", len(symbols), err)
	}
	for want, raw := range map[string]string{
		"more than 100000 symbols": list(100_001),
		"at most 8388608":          strings.Repeat(" ", 8<<20) + `["AAPL"]`,
		"nested more than 4 deep":  strings.Repeat(`{"symbols":`, 6) + `["AAPL"]` + strings.Repeat("}", 6),
		"exceeded max depth":       strings.Repeat(`[`, 1<<20),
	} {
		if symbols, _, err := universe.Parse([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) || symbols != nil {
			t.Errorf("Parse = %d symbols, %v, want %q", len(symbols), err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "universe.json")
	if err := os.WriteFile(file, []byte(strings.Repeat(" ", 8<<20)+`["AAPL"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	var book logBook
	if _, err := universe.Load(t.Context(), universe.Config{File: file}, nil, book.logger()); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a file of more than 8 MiB: %v", err)
	}
}

// The database is not asked for more of a row than may be, nor for every row.
func TestHugeRowsAreNotRead(t *testing.T) {
	conn := connect(t)
	createTable(t, conn, "text", false)
	exec(t, conn, "INSERT INTO cache_entries (type, name, key, value) VALUES ('themes', 'a', 'b', repeat('AAPL,', 4 * 1024 * 1024))")
	u, book := load(t, conn, universe.Config{Key: "a:b"})
	if u.Origin != universe.OriginBuiltIn {
		t.Errorf("a row of 20 MiB was taken: %d symbols", len(u.Symbols))
	}
	book.wantWarnings(t, "8388609 bytes or more, at most 8388608", "was not found")
	exec(t, conn, "INSERT INTO cache_entries (type, name, key, value) SELECT 'themes', 'many', 'rows', '' FROM generate_series(1, 1000)")
	_, book = load(t, conn, universe.Config{Key: "many:rows"})
	if n := strings.Count(book.String(), "empty value"); n != 20 {
		t.Errorf("%d of 1000 rows were read, want 20", n)
	}
}
