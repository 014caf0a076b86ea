package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

const revisionColumn = "revision"

// found is a table as the database describes it.
type found struct {
	schema, name string
	oid          uint32
	columns      map[string]physical
	order        []string
	unique       [][]string // columns of each unique index that an upsert can use
	missing      []string   // privileges
}

// physical is a column as it is.
type physical struct {
	name     string
	typeName string // without length or precision: casting to those would cut
	category string // of pg_type.typcategory
	typeID   uint32
	notNull  bool
	fallback bool // has a default, or is an identity
	computed bool // cannot be written
}

// The catalog rather than information_schema, which hides columns from users
// without rights on them, and types behind domains.
const (
	selectTable = `
SELECT c.oid, c.relkind::text,
       array_remove(ARRAY[
         CASE WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END,
         CASE WHEN NOT has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
         CASE WHEN NOT has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
         CASE WHEN $3 AND NOT has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END], NULL)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind NOT IN ('i', 'I', 'S', 'c')`

	selectColumns = `
SELECT a.attname::text, b.typcategory::text, b.oid,
       CASE b.typname WHEN 'bpchar' THEN 'pg_catalog.bpchar' ELSE format_type(b.oid, NULL) END,
       a.attnotnull, a.atthasdef OR a.attidentity <> '',
       a.attgenerated <> '' OR a.attidentity = 'a'
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`

	selectUnique = `
SELECT (SELECT array_agg(a.attname::text ORDER BY a.attname)
        FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
FROM pg_index i
WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
ORDER BY i.indisprimary DESC, i.indexrelid`
)

// inspect describes a table; it is nil if there is none of that name.
func inspect(ctx context.Context, tx pgx.Tx, schema, name string, deletes bool) (*found, error) {
	f := &found{schema: schema, name: name, columns: map[string]physical{}}
	var relation string
	err := tx.QueryRow(ctx, selectTable, schema, name, deletes).Scan(&f.oid, &relation, &f.missing)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up table %s: %w", name, err)
	}
	if relation != "r" && relation != "p" && relation != "f" {
		return nil, unusable(name, "it is a view, not a table: give tickstream a table of that name, or rename the view")
	}
	var p physical
	rows, err := tx.Query(ctx, selectColumns, f.oid)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&p.name, &p.category, &p.typeID, &p.typeName, &p.notNull, &p.fallback, &p.computed}, func() error {
			f.columns[p.name] = p
			f.order = append(f.order, p.name)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read the columns of table %s: %w", name, err)
	}
	return f, f.readUnique(ctx, tx)
}

func (f *found) readUnique(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, selectUnique, f.oid)
	if err != nil {
		return fmt.Errorf("read the indexes of table %s: %w", f.name, err)
	}
	if f.unique, err = pgx.CollectRows(rows, pgx.RowTo[[]string]); err != nil {
		return fmt.Errorf("read the indexes of table %s: %w", f.name, err)
	}
	return nil
}

func (f *found) identifier() string { return pgx.Identifier{f.schema, f.name}.Sanitize() }

// ErrUnusable is wrapped by the reason for which a table is left out: it lacks
// a column, has one of a wrong type, or demands one that we do not know.
var ErrUnusable = errors.New("table cannot be written")

func unusable(table, format string, args ...any) error {
	return fmt.Errorf("%w: table %s: %s", ErrUnusable, table, fmt.Sprintf(format, args...))
}

// takes tells whether a column's type can hold a kind.
func (p physical) takes(k kind) bool {
	switch k {
	case text:
		return p.category == "S" || p.category == "E" || p.typeName == "uuid" || p.typeName == "citext"
	case number:
		return p.category == "N" && !p.whole() && p.typeName != "money"
	case integer, quantity, measure:
		return p.category == "N" && p.typeName != "money"
	case moment:
		return p.typeName == "date" || strings.HasPrefix(p.typeName, "timestamp")
	case document:
		return p.typeName == "jsonb" || p.typeName == "json" || p.category == "S"
	}
	return false
}

func (p physical) whole() bool {
	return p.typeName == "bigint" || p.typeName == "integer" || p.typeName == "smallint"
}

// suitable names the types that a column of a kind can have.
func (k kind) suitable() string {
	switch k {
	case number:
		return "numeric or double precision"
	case integer, quantity, measure:
		return "bigint"
	case moment:
		return "timestamptz"
	case document:
		return "jsonb"
	}
	return "varchar"
}
