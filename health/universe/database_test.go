package universe_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tickstock/tickstream/health/universe"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

// connect opens a connection whose search path is a schema of this test's own.
func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	url := testbed.DatabaseURL(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	schema := "universe_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	// The test's own context has ended when clean-up runs.
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if _, err := conn.Exec(ctx, "SET default_transaction_read_only = off; DROP SCHEMA IF EXISTS "+schema+" CASCADE"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	exec(t, conn, "CREATE SCHEMA "+schema+"; SET search_path = "+schema)
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// createTable makes cache_entries with the two things that vary.
func createTable(t *testing.T, conn *pgx.Conn, valueType string, environment bool) {
	t.Helper()
	column := ""
	if environment {
		column = ", environment varchar(20)"
	}
	exec(t, conn, fmt.Sprintf(`CREATE TABLE cache_entries (id serial PRIMARY KEY, type varchar(50) NOT NULL,
		name varchar(100), key varchar(100), value %s%s, created_at timestamptz DEFAULT now())`, valueType, column))
}

func insert(t *testing.T, conn *pgx.Conn, valueType, typ, name, key, value string) {
	t.Helper()
	exec(t, conn, "INSERT INTO cache_entries (type, name, key, value) VALUES ($1, $2, $3, $4::text::"+valueType+")", typ, name, key, value)
}

// load loads in read-only transactions, as a user without other rights would.
func load(t *testing.T, conn *pgx.Conn, cfg universe.Config) (universe.Universe, *logBook) {
	t.Helper()
	exec(t, conn, "SET default_transaction_read_only = on")
	var book logBook
	u, err := universe.Load(t.Context(), cfg, conn, book.logger())
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "SET default_transaction_read_only = off")
	return u, &book
}

func TestDatabaseShapes(t *testing.T) {
	for _, valueType := range []string{"jsonb", "json", "text"} {
		for _, environment := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s environment=%v", valueType, environment), func(t *testing.T) {
				conn := connect(t)
				createTable(t, conn, valueType, environment)
				for i, shape := range shapes {
					if valueType != "text" && !shape.jsonb {
						continue
					}
					key := fmt.Sprintf("shape_%d", i)
					insert(t, conn, valueType, "stock_universe", "test", key, shape.value)
					for _, asked := range []string{"test:" + key, "test_" + key} {
						u, book := load(t, conn, universe.Config{Key: asked})
						if u.Key != asked || u.Origin != universe.OriginDatabase || !slices.Equal(u.Symbols, shape.want) {
							t.Errorf("%s: Load(%s) = %+v, want %v", shape.name, asked, u, shape.want)
						}
						book.wantLoaded(t, fmt.Sprintf("Loaded %d symbols from universe key: %s", len(shape.want), asked))
						book.wantWarnings(t)
					}
				}
			})
		}
	}
}

func TestDatabaseTypes(t *testing.T) {
	conn := connect(t)
	createTable(t, conn, "jsonb", false)
	insert(t, conn, "jsonb", "ui_settings", "themes", "dark", `["NOT"]`)
	for i, typ := range []string{"stock_etf_combo", "stock_universe", "etf_universe", "themes"} {
		insert(t, conn, "jsonb", typ, typ, "one", fmt.Sprintf(`["S%d"]`, i))
		u, book := load(t, conn, universe.Config{Key: typ + ":one"})
		if want := fmt.Sprintf("S%d", i); u.Origin != universe.OriginDatabase || !slices.Equal(u.Symbols, []string{want}) {
			t.Errorf("%s: %+v, want %s", typ, u, want)
		}
		book.wantWarnings(t)
	}
	u, book := load(t, conn, universe.Config{Key: "themes:dark"})
	if u.Origin != universe.OriginBuiltIn {
		t.Errorf("a row of another type was taken: %+v", u)
	}
	book.wantWarnings(t, "these exist: etf_universe:one, stock_etf_combo:one, stock_universe:one, themes:one\"", "was not found")
}

func TestDatabaseSeveralRows(t *testing.T) {
	conn := connect(t)
	createTable(t, conn, "text", false)
	insert(t, conn, "text", "themes", "ai", "all", `["THEME"]`)
	insert(t, conn, "text", "etf_universe", "ai", "all", `["ETF"]`)
	insert(t, conn, "text", "stock_etf_combo", "ai", "all", `{"stocks":`)
	insert(t, conn, "text", "stock_universe", "ai", "all", `[]`)
	u, book := load(t, conn, universe.Config{Key: "ai:all"})
	if !slices.Equal(u.Symbols, []string{"ETF"}) {
		t.Errorf("Load = %v, want the first readable row in the order of types", u.Symbols)
	}
	book.wantWarnings(t, `"rows":4`, "type stock_universe: parse universe: value holds no symbols")
}

func TestDatabaseUnreadableRow(t *testing.T) {
	conn := connect(t)
	createTable(t, conn, "jsonb", false)
	exec(t, conn, "INSERT INTO cache_entries (type, name, key, value) VALUES ('themes', 'market_leaders', 'top_500', NULL)")
	u, book := load(t, conn, universe.Config{})
	if u.Origin != universe.OriginBuiltIn || u.Key != universe.BuiltInKey {
		t.Errorf("Load = %+v, want the fallback", u)
	}
	book.wantWarnings(t, "type themes: parse universe: empty value")
}

func TestDatabaseSkippedEntries(t *testing.T) {
	conn := connect(t)
	createTable(t, conn, "jsonb", false)
	insert(t, conn, "jsonb", "themes", "a", "b", `["AAPL",1,"","MSFT"]`)
	u, book := load(t, conn, universe.Config{Key: "a:b"})
	if !slices.Equal(u.Symbols, []string{"AAPL", "MSFT"}) {
		t.Errorf("Load = %v", u.Symbols)
	}
	book.wantWarnings(t, `"skipped":2`)
}

func TestDatabaseEnvironment(t *testing.T) {
	conn := connect(t)
	createTable(t, conn, "jsonb", true)
	for _, environment := range []string{"PROD", "DEV"} {
		exec(t, conn, `INSERT INTO cache_entries (type, name, key, value, environment)
			VALUES ('themes', 'a', 'b', jsonb_build_array($1::text), $1)`, environment)
	}
	insert(t, conn, "jsonb", "themes", "shared", "x", `["ALL"]`)
	tests := []struct {
		key, environment, want string
		warnings               []string
	}{
		{"a:b", "PROD", "PROD", nil},
		{"a:b", "DEV", "DEV", nil},
		{"a:b", "", "DEV", []string{`"environment":"DEV"`}}, // says which of the two
		{"shared:x", "PROD", "ALL", nil},
	}
	for _, tt := range tests {
		u, book := load(t, conn, universe.Config{Key: tt.key, Environment: tt.environment})
		if !slices.Equal(u.Symbols, []string{tt.want}) {
			t.Errorf("%s in %q: %v, want %s", tt.key, tt.environment, u.Symbols, tt.want)
		}
		book.wantWarnings(t, tt.warnings...)
	}
	u, book := load(t, conn, universe.Config{Key: "a:b", Environment: "TEST"})
	if u.Origin != universe.OriginBuiltIn {
		t.Errorf("a row of another environment was taken: %+v", u)
	}
	book.wantWarnings(t, `these exist: shared:x"`, "was not found")
}

func TestDatabaseMiss(t *testing.T) {
	conn := connect(t)
	path := writeFile(t, `["AAPL"]`)
	miss := func(want string) {
		t.Helper()
		u, book := load(t, conn, universe.Config{Key: "no:such", File: path})
		if u.Key != "no:such" || u.Origin != "file "+path {
			t.Errorf("Load = %+v, want the file", u)
		}
		book.wantWarnings(t, want)
		book.wantLoaded(t, "Loaded 1 symbols from universe key: no:such")
	}
	miss(`relation \"cache_entries\" does not exist`)
	createTable(t, conn, "jsonb", false)
	miss("nor is there any other universe")
	for i := range 20 {
		insert(t, conn, "jsonb", "themes", "theme", fmt.Sprintf("%02d", i), `["AAPL"]`)
		insert(t, conn, "jsonb", "etf_universe", "theme", fmt.Sprintf("%02d", i), `["AAPL"]`)
	}
	miss(`theme:18, theme:19"`) // each once
	for i := range 5 {
		insert(t, conn, "jsonb", "themes", "theme", fmt.Sprintf("%02d", 20+i), `["AAPL"]`)
	}
	miss(`theme:18, theme:19 and 5 more"`)
}
