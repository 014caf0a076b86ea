package universe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tickstock/tickstream/health/universe"
)

// logBook collects log lines.
type logBook struct{ bytes.Buffer }

func (b *logBook) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&b.Buffer, nil)) }

// lines of a level, decoded.
func (b *logBook) lines(t *testing.T, level slog.Level) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for raw := range bytes.Lines(b.Bytes()) {
		var line map[string]any
		if err := json.Unmarshal(raw, &line); err != nil {
			t.Fatal(err)
		}
		if line["level"] == level.String() {
			lines = append(lines, line)
		}
	}
	return lines
}

// wantLoaded checks for the one info line that operators search for.
func (b *logBook) wantLoaded(t *testing.T, msg string) {
	t.Helper()
	lines := b.lines(t, slog.LevelInfo)
	if len(lines) != 1 || lines[0]["msg"] != msg || len(lines[0]) != 3 {
		t.Errorf("info lines: %v, want only %q without attributes", lines, msg)
	}
}

// wantWarnings checks that there are as many warnings as parts, and that each
// holds its part, in its message or its attributes.
func (b *logBook) wantWarnings(t *testing.T, parts ...string) {
	t.Helper()
	lines := b.lines(t, slog.LevelWarn)
	if len(lines) != len(parts) {
		t.Fatalf("%d warnings, want %d: %v", len(lines), len(parts), lines)
	}
	for i, part := range parts {
		raw, err := json.Marshal(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), part) {
			t.Errorf("warning %d: %s\nwant it to say %q", i, raw, part)
		}
	}
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "universe.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBuiltIn(t *testing.T) {
	var book logBook
	u, err := universe.Load(t.Context(), universe.Config{}, nil, book.logger())
	if err != nil {
		t.Fatal(err)
	}
	if u.Key != "market_leaders:top_500" || u.Origin != universe.OriginBuiltIn || len(u.Symbols) != 60 {
		t.Errorf("Load = %s, %s, %d symbols", u.Key, u.Origin, len(u.Symbols))
	}
	for _, symbol := range []string{"AAPL", "BRK.B", "UBER"} {
		if !slices.Contains(u.Symbols, symbol) {
			t.Errorf("%s is missing", symbol)
		}
	}
	book.wantLoaded(t, "Loaded 60 symbols from universe key: market_leaders:top_500")
	book.wantWarnings(t)
}

func TestBuiltInStandsInForAnotherKey(t *testing.T) {
	var book logBook
	u, err := universe.Load(t.Context(), universe.Config{Key: "etf_core:main"}, nil, book.logger())
	if err != nil || u.Key != universe.BuiltInKey || u.Origin != universe.OriginBuiltIn {
		t.Errorf("Load = %s, %s, %v; want the built-in universe under its own key", u.Key, u.Origin, err)
	}
	book.wantLoaded(t, "Loaded 60 symbols from universe key: market_leaders:top_500")
	book.wantWarnings(t, "Universe key etf_core:main was not found")
}

func TestFile(t *testing.T) {
	var book logBook
	path := writeFile(t, `["aapl","MSFT","AAPL",7]`)
	u, err := universe.Load(t.Context(), universe.Config{Key: "mine:two", File: path}, nil, book.logger())
	if err != nil || u.Key != "mine:two" || u.Origin != "file "+path || !slices.Equal(u.Symbols, []string{"AAPL", "MSFT"}) {
		t.Errorf("Load = %+v, %v", u, err)
	}
	book.wantLoaded(t, "Loaded 2 symbols from universe key: mine:two")
	book.wantWarnings(t, `"skipped":1`)
}

func TestFileNamesItsKey(t *testing.T) {
	var book logBook
	path := writeFile(t, `{"key":"mine:one","stocks":[{"ticker":"AAPL"}],"count":1}`)
	u, err := universe.Load(t.Context(), universe.Config{Key: "mine:two", File: path}, nil, book.logger())
	if err != nil || u.Key != "mine:one" {
		t.Errorf("Load = %+v, %v; want the file's key", u, err)
	}
	book.wantLoaded(t, "Loaded 1 symbols from universe key: mine:one")
	book.wantWarnings(t, "Universe key mine:two was not found")
}

func TestBadSettings(t *testing.T) {
	tests := []struct {
		name string
		cfg  universe.Config
		want string
	}{
		{"negative timeout", universe.Config{Timeout: -1}, "timeout"},
		{"no file", universe.Config{File: filepath.Join(t.TempDir(), "missing.json")}, "TICKSTREAM_UNIVERSE_FILE"},
		{"not JSON", universe.Config{File: writeFile(t, "ticker,name\nAAPL,Apple\n")}, "not JSON"},
		{"empty file", universe.Config{File: writeFile(t, "")}, "not JSON"},
		{"no symbols", universe.Config{File: writeFile(t, `{"symbols":[]}`)}, "holds no symbols"},
		{"no list", universe.Config{File: writeFile(t, `{"key":"a:b"}`)}, "without stocks, etfs or symbols"},
		{"key of another type", universe.Config{File: writeFile(t, `{"key":1,"symbols":["A"]}`)}, "key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var book logBook
			_, err := universe.Load(t.Context(), tt.cfg, nil, book.logger())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Load: %v, want an error with %q", err, tt.want)
			}
			if tt.cfg.File != "" && (!strings.Contains(err.Error(), "--universe-file") || !strings.Contains(err.Error(), tt.cfg.File)) {
				t.Errorf("Load: %q names neither the setting nor the file", err)
			}
			if tt.name == "no file" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Load: %v is not fs.ErrNotExist", err)
			}
			if book.Len() > 0 {
				t.Errorf("logged and returned: %s", book.String())
			}
		})
	}
}

// brokenDB fails each query, or waits for the end of the context.
type brokenDB struct{ err error }

func (db brokenDB) Query(ctx context.Context, _ string, _ ...any) (pgx.Rows, error) {
	if db.err != nil {
		return nil, db.err
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestDatabaseDown(t *testing.T) {
	tests := map[string]struct {
		cfg  universe.Config
		db   brokenDB
		want string
	}{
		"refuses": {universe.Config{}, brokenDB{errors.New("connection refused")}, "connection refused"},
		"hangs":   {universe.Config{Timeout: 1}, brokenDB{}, "deadline exceeded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var book logBook
			u, err := universe.Load(t.Context(), tt.cfg, tt.db, book.logger())
			if err != nil || u.Origin != universe.OriginBuiltIn {
				t.Errorf("Load = %s, %v; want the fallback", u.Origin, err)
			}
			book.wantWarnings(t, tt.want)
			book.wantLoaded(t, "Loaded 60 symbols from universe key: market_leaders:top_500")
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var book logBook
	if _, err := universe.Load(ctx, universe.Config{}, brokenDB{}, book.logger()); !errors.Is(err, context.Canceled) {
		t.Errorf("Load with a context that has ended: %v, want context.Canceled", err)
	}
}
