package bridge

import (
	"testing"
	"time"
)

func TestMarksAreDueEachIntervalAndAfterEachMinute(t *testing.T) {
	at := func(s string) time.Time {
		parsed, err := time.Parse(time.DateTime, "2026-01-02 "+s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	s := newMarkSchedule(5*time.Second, 2*time.Second)
	var due []string
	for now := at("10:00:52"); now.Before(at("10:01:12")); now = now.Add(s.untilNext(now)) {
		if s.due(now) {
			due = append(due, now.Format(time.TimeOnly))
		}
	}
	want := []string{"10:00:52", "10:00:57", "10:01:02", "10:01:07"}
	if len(due) != len(want) {
		t.Fatalf("due at %v, want %v", due, want)
	}
	for i := range want {
		if due[i] != want[i] {
			t.Errorf("due at %v, want %v", due, want)
			break
		}
	}
	s = newMarkSchedule(time.Hour, 1500*time.Millisecond)
	s.due(at("10:00:30"))
	if next := at("10:00:30").Add(s.untilNext(at("10:00:30"))); !next.Equal(at("10:01:01").Add(500 * time.Millisecond)) {
		t.Errorf("next = %v, want 1.5 s after the minute", next)
	}
}
