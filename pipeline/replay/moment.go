package replay

import (
	"fmt"
	"strings"
	"time"
)

// ParseMoment reads a time as people give one: RFC 3339, a duration relative to
// now such as -5m, or now.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text)); err == nil {
		return at, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("read time %q: %w", text, err)
	}
	return now.Add(d), nil
}
