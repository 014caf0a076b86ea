package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// stage is the temporary table through which rows go: one a connection.
const stage = "tickstream_stage"

// Columns of the stage beside the row's own.
const (
	stageOrder    = "tickstream_order"
	stageDelete   = "tickstream_delete"
	stageRevision = "tickstream_revision"
)

// statements are the SQL of a plan, made once a connection.
type statements struct {
	makeStage string
	columns   []string // of the stage, in the order of a copied row
	write     []string // one after another in a transaction
}

func (p *plan) statements() statements {
	staged := []string{stageOrder + " int NOT NULL", stageDelete + " boolean NOT NULL", stageRevision + " bigint NOT NULL"}
	s := statements{columns: []string{stageOrder, stageDelete, stageRevision}}
	for _, b := range p.bindings {
		staged = append(staged, pgx.Identifier{b.physical.name}.Sanitize()+" "+b.stageType())
		s.columns = append(s.columns, b.physical.name)
	}
	s.makeStage = "DROP TABLE IF EXISTS pg_temp." + stage + "; CREATE TEMPORARY TABLE " + stage +
		" (" + strings.Join(staged, ", ") + ") ON COMMIT DELETE ROWS"
	if p.deletes {
		s.write = append(s.write, p.remove())
	}
	// PostgreSQL checks NOT NULL before it sees a conflict, so an event that
	// holds part of a row must not be inserted over it.
	if p.unique && !p.merges {
		s.write = append(s.write, p.upsert())
	} else {
		s.write = append(s.write, p.update(), p.insertMissing())
	}
	return s
}

// upsert writes each staged row where there is none of its key, or none newer.
// A table that does not know its rows' revision relies on the order of the
// stream.
func (p *plan) upsert() string {
	keys := make([]string, len(p.keys))
	for i, name := range p.keys {
		keys[i] = pgx.Identifier{name}.Sanitize()
	}
	var sets []string
	for _, b := range p.bindings {
		if !slices.Contains(p.keys, b.physical.name) && !b.reluctant {
			name := pgx.Identifier{b.physical.name}.Sanitize()
			sets = append(sets, name+" = excluded."+name)
		}
	}
	older := ""
	if p.revised {
		older = " WHERE coalesce(t." + revisionColumn + ", 0) <= excluded." + revisionColumn
	}
	return p.insert("") + " ON CONFLICT (" + strings.Join(keys, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ") + older
}

func (p *plan) insert(condition string) string {
	var names, values []string
	for _, b := range p.bindings {
		names = append(names, pgx.Identifier{b.physical.name}.Sanitize())
		values = append(values, b.expression())
	}
	return fmt.Sprintf("INSERT INTO %s AS t (%s) SELECT %s FROM pg_temp.%s s WHERE NOT s.%s%s ORDER BY s.%s",
		p.table.identifier(), strings.Join(names, ", "), strings.Join(values, ", "), stage, stageDelete, condition, stageOrder)
}

func (p *plan) update() string {
	var sets []string
	for _, b := range p.bindings {
		if slices.Contains(p.keys, b.physical.name) || b.reluctant {
			continue
		}
		name, value := pgx.Identifier{b.physical.name}.Sanitize(), b.expression()
		switch {
		case b.keep:
			value = "coalesce(t." + name + ", " + value + ")"
		case p.merges:
			value = "coalesce(" + value + ", t." + name + ")"
		}
		sets = append(sets, name+" = "+value)
	}
	return fmt.Sprintf("UPDATE %s AS t SET %s FROM pg_temp.%s s WHERE NOT s.%s AND %s%s",
		p.table.identifier(), strings.Join(sets, ", "), stage, stageDelete, p.sameKey(), p.notNewer())
}

// insertMissing needs no unique index: there is one writer.
func (p *plan) insertMissing() string {
	return p.insert(" AND NOT EXISTS (SELECT 1 FROM " + p.table.identifier() + " t WHERE " + p.sameKey() + ")")
}

func (p *plan) remove() string {
	return fmt.Sprintf("DELETE FROM %s AS t USING pg_temp.%s s WHERE s.%s AND %s%s",
		p.table.identifier(), stage, stageDelete, p.sameKey(), p.notNewer())
}

func (p *plan) notNewer() string {
	if !p.revised {
		return ""
	}
	return " AND coalesce(t." + revisionColumn + ", 0) <= s." + stageRevision
}

func (p *plan) sameKey() string {
	var same []string
	for _, b := range p.bindings {
		if slices.Contains(p.keys, b.physical.name) {
			same = append(same, "t."+pgx.Identifier{b.physical.name}.Sanitize()+" = "+b.expression())
		}
	}
	return strings.Join(same, " AND ")
}

// row is a record as the stage takes it.
func (p *plan) row(order int, r *record) []any {
	row := make([]any, 0, 3+len(p.bindings))
	row = append(row, order, r.withdrawn, int64(r.revision))
	for _, b := range p.bindings {
		row = append(row, b.encode(r.values[b.value]))
	}
	return row
}
