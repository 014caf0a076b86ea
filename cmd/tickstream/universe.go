package main

import (
	"context"
	"log/slog"

	"github.com/tickstock/tickstream/health/universe"
	"github.com/urfave/cli/v3"
)

const categoryUniverse = "Universe"

// universeFlags name the symbols that a session covers.
func universeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "universe", Sources: env("universe"), Value: universe.BuiltInKey, Category: categoryUniverse,
			Usage: "`KEY` of the universe in the database's cache_entries; the built-in one is 60 large US symbols",
		},
		&cli.StringFlag{
			Name: "universe-file", Sources: env("universe-file"), TakesFile: true, Category: categoryUniverse,
			Usage: "JSON `FILE` with the universe, for when the database does not have it",
		},
	}
}

func universeConfigOf(cmd *cli.Command) universe.Config {
	return universe.Config{Key: cmd.String("universe"), File: cmd.String("universe-file")}
}

// loadUniverse loads the universe that the flags name; a database that cannot
// be reached is a warning.
func loadUniverse(ctx context.Context, cmd *cli.Command, log *slog.Logger) (universe.Universe, error) {
	var db universe.Querier
	url, err := databaseURL(cmd)
	if err != nil {
		return universe.Universe{}, err
	}
	if url != "" {
		conn, err := connectDatabase(ctx, url)
		if err != nil {
			if _, bad := isUsage(err); bad {
				return universe.Universe{}, err
			}
			log.Warn("the database is not reachable", "err", err)
		} else {
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it was only read from
			db = conn
		}
	}
	u, err := universe.Load(ctx, universeConfigOf(cmd), db, log)
	if err != nil {
		return universe.Universe{}, usageErrorf("load the universe: %w", err)
	}
	return u, nil
}
