// Package event defines tickstream's events on the wire: one plain struct and
// one constructor an event, the same bytes on NATS and on Redis.
package event

import (
	"fmt"
	"time"
)

const wireTime = "2006-01-02T15:04:05.000Z"

// Time is a moment in UTC, on the wire as ISO 8601 with milliseconds and Z
// (2025-10-07T14:30:00.000Z).
type Time struct{ time.Time }

// At is t in UTC, cut to the wire's milliseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// MarshalText writes ISO 8601 with milliseconds and Z.
func (t Time) MarshalText() ([]byte, error) { return t.UTC().AppendFormat(nil, wireTime), nil }

// MarshalJSON writes the text form in quotes. Without it the embedded
// time.Time would choose its own precision.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+wireTime+`"`), nil
}

// UnmarshalText reads any RFC 3339 time.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return fmt.Errorf("read event time: %w", err)
	}
	t.Time = parsed.UTC()
	return nil
}

// UnmarshalJSON reads a quoted RFC 3339 time.
func (t *Time) UnmarshalJSON(data []byte) error {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return fmt.Errorf("read event time: %.40q is not a JSON string", data)
	}
	return t.UnmarshalText(data[1 : len(data)-1])
}

// Seconds is the moment at Unix seconds.
func Seconds(unix int64) Time { return Time{time.Unix(unix, 0).UTC()} }
