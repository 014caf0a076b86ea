package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/urfave/cli/v3"
)

const databaseTimeout = 3 * time.Second

// errDatabaseURL leaves out the URL, which holds a password.
var errDatabaseURL = usageErrorf("--database (DATABASE_URL) cannot be read: give postgres://user:password@host:5432/name")

// databaseFlags are the flags of a command that speaks PostgreSQL.
func databaseFlags() []cli.Flag {
	file := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Sources: env(name), Usage: usage, TakesFile: true, Category: categoryConnection}
	}
	return []cli.Flag{
		&cli.StringFlag{
			Name: "database", Sources: secretFromEnv("DATABASE_URL"), Category: categoryConnection,
			Usage: "PostgreSQL `URL` (postgres://user:password@host:5432/tickstock); none: no database",
		},
		file("database-ca", "PEM `FILE` of the authority that PostgreSQL's certificate is checked with; TLS is then a must"),
		file("database-cert", "PEM `FILE` of the client certificate for PostgreSQL"),
		file("database-key", "PEM `FILE` of the client certificate's key"),
	}
}

// databaseURL is the URL of [databaseFlags] with its TLS files, which the driver
// reads at each connection; empty where there is to be no database.
func databaseURL(cmd *cli.Command) (string, error) {
	raw := cmd.String("database")
	files := tlsFiles{CA: cmd.String("database-ca"), Cert: cmd.String("database-cert"), Key: cmd.String("database-key")}
	if raw == "" {
		return "", nil
	}
	if _, err := pgx.ParseConfig(raw); err != nil {
		return "", errDatabaseURL
	}
	full, err := withTLSFiles(raw, files)
	if err == nil {
		_, err = pgx.ParseConfig(full)
	}
	switch {
	case errors.Is(err, errNoTLS):
		return "", usageErrorf("--database (DATABASE_URL) has an sslmode without TLS, which --database-ca, --database-cert and --database-key need: leave sslmode out for verify-full")
	case err != nil:
		return "", usageErrorf("--database-ca, --database-cert, --database-key (TICKSTREAM_DATABASE_CA, …_CERT, …_KEY) cannot be used: give PEM files, the certificate and its key together")
	}
	return full, nil
}

var errNoTLS = errors.New("no TLS")

// withTLSFiles adds files to a PostgreSQL URL, or to a list of name=value. The
// server is then checked in full unless an sslmode says how else.
func withTLSFiles(raw string, files tlsFiles) (string, error) {
	if files.empty() {
		return raw, nil
	}
	settings := map[string]string{"sslrootcert": files.CA, "sslcert": files.Cert, "sslkey": files.Key}
	if !strings.Contains(raw, "://") {
		var s strings.Builder
		s.WriteString(raw)
		if !strings.Contains(raw, "sslmode") {
			settings["sslmode"] = "verify-full"
		} else if noTLS(raw) {
			return "", errNoTLS
		}
		for name, value := range settings {
			if value != "" {
				fmt.Fprintf(&s, " %s='%s'", name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
			}
		}
		return s.String(), nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", errDatabaseURL
	}
	query := u.Query()
	for name, value := range settings {
		if value != "" {
			query.Set(name, value)
		}
	}
	if mode := query.Get("sslmode"); mode == "" {
		query.Set("sslmode", "verify-full")
	} else if noTLS("sslmode=" + mode) {
		return "", errNoTLS
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// noTLS is whether settings name an sslmode that does not insist on TLS.
func noTLS(settings string) bool {
	return slices.ContainsFunc([]string{"disable", "allow", "prefer"}, func(mode string) bool {
		return strings.Contains(settings, "sslmode="+mode) || strings.Contains(settings, "sslmode='"+mode)
	})
}

// connectDatabase makes one connection. The driver's errors name host and user
// and no password.
func connectDatabase(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errDatabaseURL
	}
	cfg.ConnectTimeout = databaseTimeout
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return conn, nil
}
