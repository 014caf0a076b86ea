package bridge

import "time"

// markSchedule says when a clock mark is due: every interval, and once more
// right after each minute's end plus the lateness, so that bars close on time.
type markSchedule struct {
	interval time.Duration
	lateness time.Duration
	next     time.Time
	closing  time.Time
}

func newMarkSchedule(interval, lateness time.Duration) *markSchedule {
	return &markSchedule{interval: interval, lateness: lateness}
}

// due tells whether a mark is due at now, and if so takes it off the schedule.
func (s *markSchedule) due(now time.Time) bool {
	back := s.next.Sub(now) > s.interval // as where the clock was set back
	if now.Before(s.next) && now.Before(s.closing) && !back {
		return false
	}
	s.next = now.Add(s.interval)
	s.closing = now.Add(-s.lateness).Truncate(time.Minute).Add(time.Minute + s.lateness)
	return true
}

// untilNext is the time from now to the next mark, at least 1 ms.
func (s *markSchedule) untilNext(now time.Time) time.Duration {
	next := s.next
	if s.closing.Before(next) {
		next = s.closing
	}
	return max(next.Sub(now), time.Millisecond)
}
