// Package store writes bars, signals, sessions and health into PostgreSQL, in
// the tables that AppV2 reads. A database that is away means that rows wait in
// their streams; nothing else waits for it.
package store

import (
	"errors"
	"fmt"
	"time"
)

// Config of the [Store].
type Config struct {
	// Instance identifies this process. Required.
	Instance string
	// BatchRows bounds the rows of one transaction. Defaults to 1,000.
	BatchRows int
	// PatternsExpire and IndicatorsExpire are how long after its bar a result
	// counts as current for AppV2. Default to 1 h and 24 h.
	PatternsExpire, IndicatorsExpire time.Duration
	// RetryMismatch is the time between two looks at a table that does not fit.
	// Defaults to 30 s.
	RetryMismatch time.Duration
}

func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.BatchRows, 1000)
	orDefault(&c.PatternsExpire, time.Hour)
	orDefault(&c.IndicatorsExpire, 24*time.Hour)
	orDefault(&c.RetryMismatch, 30*time.Second)
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Instance == "" {
		errs = append(errs, errors.New("instance is empty: give each store a name of its own"))
	}
	if c.BatchRows < 1 || c.BatchRows > 10000 {
		errs = append(errs, fmt.Errorf("batch rows is %d: give 1 to 10000", c.BatchRows))
	}
	if c.PatternsExpire < 0 || c.IndicatorsExpire < 0 || c.RetryMismatch < 0 {
		errs = append(errs, errors.New("expiry and retry: give no negative time"))
	}
	return errors.Join(errs...)
}
