package replay_test

import (
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/replay"
)

func TestParseMoment(t *testing.T) {
	now := time.Date(2025, 10, 7, 14, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"now": now, "-5m": now.Add(-5 * time.Minute), "-1h30m": now.Add(-90 * time.Minute), "10s": now.Add(10 * time.Second),
		"2025-10-07T13:30:00Z":        now.Add(-30 * time.Minute),
		"2025-10-07t09:30:00.5-04:00": now.Add(-30*time.Minute + 500*time.Millisecond),
	} {
		if got, err := replay.ParseMoment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
}

// A moment that was read can be written as RFC 3339 and read again.
func FuzzParseMoment(f *testing.F) {
	for _, text := range []string{"", "now", "-5m", "5", "2025-10-07T13:30:00Z", "2025-10-07", "9999-12-31T23:59:60Z", "-9223372036854775808ns", "1e9h"} {
		f.Add(text)
	}
	now := time.Date(2025, 10, 7, 14, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := replay.ParseMoment(text, now)
		if err != nil {
			return
		}
		again, err := replay.ParseMoment(at.UTC().Format(time.RFC3339Nano), now)
		if err != nil || !again.Equal(at) {
			t.Errorf("%q is %v, and then %v, %v", text, at, again, err)
		}
	})
}
