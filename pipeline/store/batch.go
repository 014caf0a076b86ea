package store

import (
	"cmp"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// batch is what one transaction stores.
type batch struct {
	messages []jetstream.Msg   // all that the commit settles, in the order of the stream
	rows     map[string]record // the last of each key
	refused  []refusal
}

// refusal is a message that the database will not have.
type refusal struct {
	message jetstream.Msg
	detail  string
}

func newBatch() *batch { return &batch{rows: map[string]record{}} }

// add takes a row: of one key the highest revision stands, and of one revision
// the last in the stream.
func (b *batch) add(r record, merges bool, columns []column) {
	earlier, ok := b.rows[r.key]
	if ok && merges {
		r.values = merged(earlier.values, r.values, columns)
	}
	if !ok || r.revision >= earlier.revision {
		b.rows[r.key] = r
	}
}

// merged is one row of two events: the later value where there is one.
func merged(earlier, later []any, columns []column) []any {
	out := slices.Clone(earlier)
	for i, value := range later {
		if value != nil && (out[i] == nil || !columns[i].keep) {
			out[i] = value
		}
	}
	return out
}

// sorted are the rows in the order of the stream.
func (b *batch) sorted() []record {
	rows := make([]record, 0, len(b.rows))
	for _, r := range b.rows {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b record) int { return cmp.Compare(a.sequence, b.sequence) })
	return rows
}
