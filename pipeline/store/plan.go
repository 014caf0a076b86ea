package store

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tickstock/tickstream/pipeline/exact"
)

// plan is how rows of one table are written.
type plan struct {
	table    *found
	bindings []binding
	keys     []string // physical columns that tell rows apart
	unique   bool     // a unique index on the keys carries the upsert
	revised  bool     // the table knows the revision of its rows
	left     []string // columns that we could fill but for their type
	merges   bool
	deletes  bool
}

// binding is a physical column and the value that goes there.
type binding struct {
	physical
	column
	value int            // index in record.values
	zone  *time.Location // of a column of dates; nil for UTC
}

// newPlan matches what we have to what the table takes. The error is
// [ErrUnusable].
func newPlan(t *table, f *found) (*plan, error) {
	p := &plan{table: f, merges: t.merges, deletes: t.withdraws}
	if len(f.missing) > 0 {
		return nil, unusable(f.name, "no right to %s: GRANT SELECT, INSERT, UPDATE, DELETE ON %s to tickstream's user",
			strings.Join(f.missing, ", "), f.identifier())
	}
	written := map[string]bool{}
	for i, c := range t.columns {
		for _, name := range c.names {
			have, ok := f.columns[name]
			if !ok || have.computed || c.reluctant && (!have.notNull || have.fallback) {
				continue
			}
			if !have.takes(c.kind) {
				if c.need != "" || have.notNull && !have.fallback {
					return nil, unusable(f.name, "column %s is %s, which cannot hold %s: make it %s",
						name, have.typeName, c.names[0], c.kind.suitable())
				}
				p.left = append(p.left, name)
				continue
			}
			p.bindings = append(p.bindings, binding{have, c, i, t.zone})
			written[name] = true
		}
	}
	if err := lacking(t, f, written); err != nil {
		return nil, err
	}
	for _, name := range f.order {
		if have := f.columns[name]; have.notNull && !have.fallback && !have.computed && !written[name] {
			return nil, unusable(f.name, "column %s is NOT NULL without a default and tickstream has no value for it: ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL, or SET DEFAULT",
				name, f.identifier(), pgx.Identifier{name}.Sanitize())
		}
	}
	p.revised = written[revisionColumn]
	p.chooseKeys(t)
	return p, nil
}

// lacking names the first column that must be there and is not.
func lacking(t *table, f *found, written map[string]bool) error {
	met := map[string]bool{}
	for _, c := range t.columns {
		met[c.need] = met[c.need] || slices.ContainsFunc(c.names, func(name string) bool { return written[name] })
	}
	for _, c := range t.columns {
		if c.need != "" && !met[c.need] {
			return unusable(f.name, "column %s is missing: ALTER TABLE %s ADD COLUMN %s %s",
				strings.Join(c.names, " or "), f.identifier(), pgx.Identifier{c.names[0]}.Sanitize(), c.kind.suitable())
		}
	}
	return nil
}

// chooseKeys takes the columns of a unique index that is one of each key, in
// whichever generation's names; without one, the first names that there are.
func (p *plan) chooseKeys(t *table) {
	p.unique, p.keys = false, nil
	logical := map[string]int{}
	for _, b := range p.bindings {
		if b.key {
			logical[b.physical.name] = b.value
		}
	}
	keys := 0
	for _, c := range t.columns {
		if c.key {
			keys++
		}
	}
	for _, index := range p.table.unique {
		covered := map[int]bool{}
		for _, name := range index {
			if value, ok := logical[name]; ok {
				covered[value] = true
			}
		}
		if len(index) == keys && len(covered) == keys {
			p.unique, p.keys = true, index
			return
		}
	}
	taken := map[int]bool{}
	for _, b := range p.bindings {
		if b.key && !taken[b.value] {
			p.keys = append(p.keys, b.physical.name)
			taken[b.value] = true
		}
	}
}

// stageType is what a value has in the staging table, where nothing is refused
// that the wire can carry.
func (b binding) stageType() string {
	switch b.kind {
	case number, measure:
		return "numeric"
	case integer:
		return "bigint"
	case quantity:
		if b.whole() {
			return "bigint"
		}
		return "numeric"
	case moment:
		return "timestamptz"
	}
	return "text"
}

// encode is a value of the record as the staging table takes it.
func (b binding) encode(value any) any {
	if q, ok := value.(exact.Quantity); ok {
		if b.whole() {
			return q.Int64() // half to even, where PostgreSQL's own cast rounds up
		}
		return shares(q)
	}
	if at, ok := value.(time.Time); ok && b.typeName == "date" && b.zone != nil {
		year, month, day := at.In(b.zone).Date()
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	return value
}

// expression turns a staged value into the column's type. Time zones are
// explicit, so that the session's own setting cannot move a bar.
func (b binding) expression() string {
	staged := "s." + pgx.Identifier{b.physical.name}.Sanitize()
	if b.kind == moment && b.typeName != "timestamp with time zone" {
		staged = "(" + staged + " AT TIME ZONE 'UTC')"
	}
	return "CAST(" + staged + " AS " + b.typeName + ")"
}
