package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// fault is whose an error of the database is.
type fault int

const (
	// faultPassing is a connection's, a server's or another transaction's: the
	// same rows may well be stored next time.
	faultPassing fault = iota
	// faultRow is a row's: the database refuses its values.
	faultRow
	// faultParent is a row's that refers to a row which is not there yet.
	faultParent
	// faultTable is the table's or our rights'.
	faultTable
)

// classify reads the SQLSTATE. What has none is the connection's fault; what is
// unknown is the table's, so that no row is given up for it.
func classify(err error) fault {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(pg.Code) != 5 {
		return faultPassing
	}
	if pg.Code == "23503" { // foreign key
		return faultParent
	}
	switch pg.Code[:2] {
	case "21", "22", "23", // cardinality, data, integrity
		"44", "54", // check option; a limit, such as an index entry too long
		"38", "39", "P0": // raised by a trigger
		return faultRow
	case "08", "40", "53", "55", "57", "58": // connection, rollback, resources, lock, intervention, system
		return faultPassing
	}
	return faultTable
}

// sentence says what an operator can do about an error of the database.
func sentence(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "28P01":
			return fmt.Sprintf("PostgreSQL refuses the user or the password: correct the database URL (%s)", pg.Message)
		case "28000":
			return fmt.Sprintf("PostgreSQL does not let this user in: correct the database URL or pg_hba.conf (%s)", pg.Message)
		case "3D000":
			return fmt.Sprintf("the database is not there: make it, or correct the database URL (%s)", pg.Message)
		}
	}
	return strings.Join(strings.Fields(err.Error()), " ") // the driver puts each address on a line of its own
}
