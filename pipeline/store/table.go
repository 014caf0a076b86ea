package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// column is one that we can fill. Several names for the same value are columns
// of their own: an existing table is filled where it has them.
type column struct {
	name  string
	stage string // type in the staging table
	fits  string // family of types that it may have
}

// Families of types.
const (
	numbers  = "numeric double precision real"
	integers = "bigint integer numeric double precision"
	texts    = "text character varying character uuid"
	moments  = "timestamp with time zone timestamp without time zone"
	dates    = "date"
	objects  = "jsonb json text"
)

// definition is a table as we make it and as we fill it.
type definition struct {
	name    string
	create  string // columns and constraints of a table that we make
	time    string // column that a hypertable is divided by
	columns []column
	// key are the columns that name a row: of each group the first that the
	// table has.
	key [][]string
	// merge keeps what a row has where a new one says nothing.
	merge bool
}

// table is a definition fitted to what the database has.
type table struct {
	definition
	fill    []column // those of columns that are there and can be written
	keys    []string
	unique  bool // whether the keys are a unique index
	guarded bool // whether it has a revision
	casts   map[string]string
}

// ErrMismatch is returned where an existing table cannot be filled.
type mismatchError struct{ table, problem string }

func (e *mismatchError) Error() string {
	return fmt.Sprintf("table %s does not fit: %s", e.table, e.problem)
}

// prepare makes the table where there is none, and fits the definition to what
// is there. An existing table is never changed.
func (d definition) prepare(ctx context.Context, tx pgx.Tx) (*table, error) {
	var exists, timescale bool
	err := tx.QueryRow(ctx, `select to_regclass($1) is not null, exists (select from pg_extension where extname = 'timescaledb')`, d.name).Scan(&exists, &timescale)
	if err != nil {
		return nil, fmt.Errorf("look up table %s: %w", d.name, err)
	}
	if !exists {
		if _, err := tx.Exec(ctx, fmt.Sprintf("create table %s (%s)", d.name, d.create)); err != nil {
			return nil, fmt.Errorf("create table %s: %w", d.name, err)
		}
		if timescale && d.time != "" {
			if _, err := tx.Exec(ctx, "select create_hypertable($1::regclass, $2::name, if_not_exists => true)", d.name, d.time); err != nil {
				return nil, fmt.Errorf("make %s a hypertable: %w", d.name, err)
			}
		}
	}
	return d.fit(ctx, tx)
}

// fit reads what the table is.
func (d definition) fit(ctx context.Context, tx pgx.Tx) (*table, error) {
	rows, err := tx.Query(ctx, `
		select a.attname, case when t.typname = 'bpchar' then 'character' else format_type(a.atttypid, null) end,
			a.attgenerated <> '' or a.attidentity = 'a', a.attnotnull and not a.atthasdef and a.attidentity = ''
		from pg_attribute a join pg_type t on t.oid = a.atttypid
		where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped`, d.name)
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", d.name, err)
	}
	t := &table{definition: d, casts: map[string]string{}}
	types := map[string]string{}
	generated := map[string]bool{}
	var demanded []string
	var name, kind string
	var isGenerated, isDemanded bool
	_, err = pgx.ForEachRow(rows, []any{&name, &kind, &isGenerated, &isDemanded}, func() error {
		types[name], generated[name] = kind, isGenerated
		if isDemanded {
			demanded = append(demanded, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", d.name, err)
	}
	for _, c := range d.columns {
		kind, there := types[c.name]
		if !there || generated[c.name] {
			continue
		}
		if !slices.Contains(familyOf(c.fits), kind) {
			return nil, &mismatchError{d.name, fmt.Sprintf("column %s is %s; make it one of: %s", c.name, kind, strings.Join(familyOf(c.fits), ", "))}
		}
		t.fill = append(t.fill, c)
		if kind == "uuid" && c.stage == "text" {
			t.casts[c.name] = "::uuid"
		}
		t.guarded = t.guarded || c.name == "revision"
	}
	for _, name := range demanded {
		if !slices.ContainsFunc(t.fill, func(c column) bool { return c.name == name }) {
			return nil, &mismatchError{d.name, fmt.Sprintf("column %s must be given and we know no value for it; give it a default", name)}
		}
	}
	for _, group := range d.key {
		i := slices.IndexFunc(group, func(name string) bool {
			return slices.ContainsFunc(t.fill, func(c column) bool { return c.name == name })
		})
		if i < 0 {
			return nil, &mismatchError{d.name, fmt.Sprintf("column %s is missing; add it, or rename the table and let us make it", group[0])}
		}
		t.keys = append(t.keys, group[i])
	}
	t.unique, err = hasUniqueIndex(ctx, tx, d.name, t.keys)
	if err == nil && d.merge && !t.unique {
		return nil, &mismatchError{d.name, "a unique index on " + strings.Join(t.keys, ", ") + " is missing; add it"}
	}
	return t, err
}

func familyOf(family string) []string {
	var all []string
	for _, kind := range []string{
		"numeric", "double precision", "real", "bigint", "integer", "text", "character varying", "character", "uuid",
		"timestamp with time zone", "timestamp without time zone", "date", "jsonb", "json",
	} {
		if strings.Contains(" "+family+" ", " "+kind+" ") {
			all = append(all, kind)
		}
	}
	return all
}

// hasUniqueIndex tells whether the keys, in any order, are a unique index that
// an upsert can name.
func hasUniqueIndex(ctx context.Context, tx pgx.Tx, name string, keys []string) (bool, error) {
	var found bool
	err := tx.QueryRow(ctx, `
		select exists (
			select from pg_index i
			where i.indrelid = to_regclass($1) and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
			and (select array_agg(a.attname::text order by a.attname::text) from pg_attribute a
				where a.attrelid = i.indrelid and a.attnum = any (i.indkey[0:i.indnkeyatts-1]))
			= (select array_agg(k order by k) from unnest($2::text[]) k))`, name, keys).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("read the indexes of %s: %w", name, err)
	}
	return found, nil
}

func (t *table) stage() string { return "tickstream_stage_" + t.name }

// stageColumns are the staging table's: the table's own, and whether the row is
// withdrawn.
func (t *table) createStage() string {
	columns := make([]string, 0, len(t.fill)+1)
	for _, c := range t.fill {
		columns = append(columns, quote(c.name)+" "+c.stage)
	}
	return fmt.Sprintf("create temporary table if not exists %s (%s, tickstream_withdrawn boolean) on commit delete rows", t.stage(), strings.Join(columns, ", "))
}

// statements bring what is staged into the table.
func (t *table) statements() []string {
	var names, values, updates []string
	for _, c := range t.fill {
		names = append(names, quote(c.name))
		values = append(values, "s."+quote(c.name)+t.casts[c.name])
		if !slices.Contains(t.keys, c.name) {
			value := "excluded." + quote(c.name)
			if t.merge {
				value = fmt.Sprintf("coalesce(%s, %s.%s)", value, t.name, quote(c.name))
			}
			updates = append(updates, quote(c.name)+" = "+value)
		}
	}
	var match, keys []string
	for _, key := range t.keys {
		match = append(match, fmt.Sprintf("t.%s = s.%s%s", quote(key), quote(key), t.casts[key]))
		keys = append(keys, quote(key))
	}
	same := strings.Join(match, " and ")
	newer := ""
	if t.guarded {
		newer = " and coalesce(t.revision, 0) <= s.revision"
	}
	withdraw := fmt.Sprintf("delete from %s t using %s s where s.tickstream_withdrawn and %s%s", t.name, t.stage(), same, newer)
	insert := fmt.Sprintf("insert into %s (%s) select %s from %s s where not s.tickstream_withdrawn",
		t.name, strings.Join(names, ", "), strings.Join(values, ", "), t.stage())
	if t.unique {
		insert += fmt.Sprintf(" on conflict (%s) do update set %s", strings.Join(keys, ", "), strings.Join(updates, ", "))
		if t.guarded {
			insert += fmt.Sprintf(" where coalesce(%s.revision, 0) <= excluded.revision", t.name)
		}
		return []string{withdraw, insert}
	}
	// Without a unique index an upsert cannot be named: the row before goes.
	replace := fmt.Sprintf("delete from %s t using %s s where not s.tickstream_withdrawn and %s%s", t.name, t.stage(), same, newer)
	insert += fmt.Sprintf(" and not exists (select from %s t where %s)", t.name, same)
	return []string{withdraw, replace, insert}
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
