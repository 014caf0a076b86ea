package store

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// kind is what a value is, and so which types of column can take it.
type kind int

const (
	text     kind = iota // string
	number               // pgtype.Numeric: prices
	measure              // pgtype.Numeric that may be rounded to a whole
	integer              // int64
	quantity             // exact.Quantity: shares, whole where the column is
	moment               // time.Time
	document             // string of JSON
)

// column is one value of a row and the names that it has in the generations of
// AppV2. All of them that a table has are written.
type column struct {
	names []string
	kind  kind
	key   bool
	// need is what a table must have a column for: one of the columns with the
	// same need is enough. Empty for a column that may be missing.
	need string
	// reluctant columns are written only where the table insists on a value.
	reluctant bool
	// keep leaves a value that is there as it is.
	keep bool
}

// field is a column and its value in an event; nil is NULL.
type field[E any] struct {
	column
	value func(*E) any
}

func key[E any](k kind, value func(*E) any, names ...string) field[E] {
	return field[E]{column{names: names, kind: k, key: true, need: names[0]}, value}
}

func needed[E any](k kind, value func(*E) any, names ...string) field[E] {
	return field[E]{column{names: names, kind: k, need: names[0]}, value}
}

func optional[E any](k kind, value func(*E) any, names ...string) field[E] {
	return field[E]{column{names: names, kind: k}, value}
}

func reluctant[E any](k kind, value func(*E) any, names ...string) field[E] {
	return field[E]{column{names: names, kind: k, reluctant: true}, value}
}

// stamps are filled by their defaults, or by us where they have none.
func stamps[E any]() field[E] {
	return reluctant(moment, func(*E) any { return time.Now().UTC() }, "created_at", "updated_at")
}

// orNull is s, or NULL where it is empty.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func instant(t event.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// decimal is d without trailing zeros, which PostgreSQL would keep.
func decimal(d tick.Decimal) any {
	exponent := int32(-9)
	for exponent < 0 && d%10 == 0 {
		d /= 10
		exponent++
	}
	return pgtype.Numeric{Int: big.NewInt(int64(d)), Exp: exponent, Valid: true}
}

// floating is f as its shortest decimal form reads: casting a float to numeric in
// PostgreSQL would cut it to 15 digits.
func floating(f float64) any {
	var n pgtype.Numeric
	if err := n.ScanScientific(strconv.FormatFloat(f, 'e', -1, 64)); err != nil {
		return nil // not finite, which JSON cannot carry
	}
	return n
}

func shares(q exact.Quantity) any {
	var n pgtype.Numeric
	if err := n.ScanScientific(q.String()); err != nil {
		return nil // a quantity always is a number
	}
	return n
}

// object is v as JSON. It is for values that always marshal.
func object(v any) any {
	encoded, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(encoded)
}

// raw is JSON as it came, or an empty object.
func raw(data json.RawMessage) any {
	if len(data) == 0 || string(data) == "null" {
		return "{}"
	}
	return string(data)
}

// record is one event as a row.
type record struct {
	key       string
	sequence  uint64 // in the stream
	revision  uint64
	withdrawn bool
	symbol    string // empty where the subject names none
	sessionID string
	values    []any // by column
	message   jetstream.Msg
}

// decoder turns a message's payload into a row.
type decoder func(payload []byte) (record, error)

// identity is what a row is besides its columns.
type identity struct {
	symbol, sessionID string
	revision          uint32
	withdrawn         bool
}

// decode makes the decoder of an event; check refuses what is no such event.
func decode[E any](fields []field[E], check func(*E) (identity, error)) decoder {
	return func(payload []byte) (record, error) {
		var e E
		if err := json.Unmarshal(payload, &e); err != nil {
			return record{}, fmt.Errorf("read the event: %w", err)
		}
		id, err := check(&e)
		if err != nil {
			return record{}, err
		}
		r := record{
			symbol: id.symbol, sessionID: id.sessionID, revision: uint64(id.revision), withdrawn: id.withdrawn,
			values: make([]any, len(fields)),
		}
		var rowKey []byte
		for i := range fields {
			r.values[i] = fields[i].value(&e)
			if !fields[i].key {
				continue
			}
			switch v := r.values[i].(type) {
			case string:
				rowKey = append(append(rowKey, v...), 0xFF) // no byte of UTF-8
			case time.Time:
				rowKey = strconv.AppendInt(rowKey, v.UnixNano(), 36)
			default:
				return record{}, fmt.Errorf("read the event: it has no %s", fields[i].names[0])
			}
		}
		r.key = string(rowKey)
		return r, nil
	}
}

func columnsOf[E any](fields []field[E]) []column {
	columns := make([]column, len(fields))
	for i := range fields {
		columns[i] = fields[i].column
	}
	return columns
}
