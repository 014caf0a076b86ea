// Package universe finds the named set of symbols that a session covers: in
// PostgreSQL, else in a file, else built in.
package universe

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/tickstock/tickstream/pipeline/bounded"
)

// BuiltInKey names the universe that is always there: 60 large US symbols.
const BuiltInKey = "market_leaders:top_500"

// Origins of a [Universe]; that of a file is "file " and its path.
const (
	OriginDatabase = "postgres cache_entries"
	OriginBuiltIn  = "built-in"
)

const defaultTimeout = 5 * time.Second

//go:embed builtin.json
var builtIn []byte

// Universe is a named set of symbols.
type Universe struct {
	// Key names what was loaded. It differs from the key that was asked for
	// when the built-in universe stands in for a missing one ([BuiltInKey]),
	// or when the file that stands in names its own.
	Key string
	// Symbols in the source's order, each once, upper case. Never empty.
	Symbols []string
	// Origin is [OriginDatabase], "file PATH" or [OriginBuiltIn].
	Origin string
}

// Config of [Load]. The zero value is the built-in universe's key with no file.
type Config struct {
	// Key is NAME:KEY or NAME_KEY of a row of cache_entries. Defaults to
	// [BuiltInKey].
	Key string
	// Environment keeps to the rows of that environment where cache_entries
	// has such a column; a row without one belongs to all. Defaults to any.
	Environment string
	// File is a JSON file, used when the database does not give the key: any
	// shape that [Parse] takes; an object may name its "key". It is checked
	// even if the database answers. Defaults to none.
	File string
	// Timeout bounds the work on the database. Defaults to 5 s.
	Timeout time.Duration
}

func (c Config) validate() error {
	if c.Timeout < 0 {
		return fmt.Errorf("universe timeout %s is negative: use a positive duration", c.Timeout)
	}
	return nil
}

// loaded is a universe and how many entries of its source were no symbols.
type loaded struct {
	Universe
	skipped int
}

// Load finds the universe: in db (nil: none; a *pgx.Conn or a *pgxpool.Pool),
// else in the file, else built in. A database that fails or does not hold the
// key is a warning and the next source is taken; what Load returns as an error
// is a bad setting, a bad file, or the end of ctx.
func Load(ctx context.Context, cfg Config, db Querier, log *slog.Logger) (Universe, error) {
	if err := cfg.validate(); err != nil {
		return Universe{}, err
	}
	cfg.Key = cmp.Or(cfg.Key, BuiltInKey)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)

	u, err := fallback(cfg)
	if err != nil {
		return Universe{}, err
	}
	if db != nil {
		found, err := find(ctx, cfg, db, log)
		switch {
		case err == nil:
			u = found
		case ctx.Err() != nil:
			return Universe{}, fmt.Errorf("load universe %s: %w", cfg.Key, ctx.Err())
		default:
			log.Warn("Universe could not be loaded from the database, using the next source",
				"key", cfg.Key, "err", err, "using", u.Origin)
		}
	}
	if u.Key != cfg.Key {
		log.Warn("Universe key "+cfg.Key+" was not found: another universe stands in for it",
			"asked", cfg.Key, "using", u.Key, "origin", u.Origin)
	}
	if u.skipped > 0 {
		log.Warn("Universe has entries that are no symbols, they were skipped",
			"key", u.Key, "origin", u.Origin, "skipped", u.skipped)
	}
	// Operators search their logs for this very sentence: no attributes.
	log.Info("Loaded " + strconv.Itoa(len(u.Symbols)) + " symbols from universe key: " + u.Key)
	return u.Universe, nil
}

// fallback is the universe of the file if there is one, else the built-in one.
func fallback(cfg Config) (loaded, error) {
	if cfg.File == "" {
		return fromJSON(builtIn, BuiltInKey, OriginBuiltIn)
	}
	raw, err := bounded.File(cfg.File, maxBytes)
	if err != nil {
		return loaded{}, fmt.Errorf("read --universe-file (TICKSTREAM_UNIVERSE_FILE): %w", err)
	}
	u, err := fromJSON(raw, cfg.Key, "file "+cfg.File)
	if err != nil {
		return loaded{}, fmt.Errorf("--universe-file (TICKSTREAM_UNIVERSE_FILE) %s: %w: "+
			`write {"symbols": ["AAPL", "MSFT"]} or an array of symbols`, cfg.File, err)
	}
	return u, nil
}

// fromJSON reads a file's content; key is its key if it names none.
func fromJSON(raw []byte, key, origin string) (loaded, error) {
	raw = trim(raw)
	if len(raw) == 0 || !json.Valid(raw) {
		// Parse would take any text for a comma-separated list.
		return loaded{}, errors.New("not JSON")
	}
	if raw[0] == '{' {
		var named struct{ Key string }
		if err := json.Unmarshal(raw, &named); err != nil {
			return loaded{}, fmt.Errorf("read key: %w", err)
		}
		key = cmp.Or(named.Key, key)
	}
	symbols, skipped, err := Parse(raw)
	if err != nil {
		return loaded{}, err
	}
	return loaded{Universe{Key: key, Symbols: symbols, Origin: origin}, skipped}, nil
}
