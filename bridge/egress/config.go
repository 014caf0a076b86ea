// Package egress sends the pipeline's results to AppV2's Redis channels: one
// event a message, in order, each kind by itself, from one process at a time.
package egress

import (
	"errors"
	"fmt"
	"time"

	"github.com/tickstock/tickstream/pipeline/event"
)

// Config of the [Egress].
type Config struct {
	// Instance identifies this process. Required.
	Instance string
	// Channels are AppV2's. Required.
	Channels event.Channels
	// MaxAge is how old a result may be, from the end of its bar, to be sent at
	// all: a dashboard has no use for those of an hour ago. Older ones are
	// counted. Defaults to 15 min.
	MaxAge time.Duration
	// ErrorInterval is the least time between two error events of one reason.
	// Defaults to 1 s.
	ErrorInterval time.Duration
	// PatternEvents sends patterns to the channel of AppV2's first generation
	// too.
	PatternEvents bool
}

func (c Config) withDefaults() Config {
	if c.MaxAge == 0 {
		c.MaxAge = 15 * time.Minute
	}
	if c.ErrorInterval == 0 {
		c.ErrorInterval = time.Second
	}
	return c
}

// Validate says which setting is unusable and what to give instead.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if c.Instance == "" {
		errs = append(errs, errors.New("instance is empty: give each egress a name of its own"))
	}
	if c.Channels.Patterns == "" {
		errs = append(errs, errors.New("channels are empty: give those of a namespace"))
	}
	if c.MaxAge < time.Second || c.ErrorInterval < time.Millisecond {
		errs = append(errs, fmt.Errorf("max age is %v and error interval %v: give at least 1s and 1ms", c.MaxAge, c.ErrorInterval))
	}
	return errors.Join(errs...)
}
