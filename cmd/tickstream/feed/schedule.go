package feed

import "time"

// schedule makes the generator's ticks due at an even rate.
type schedule struct {
	generator *Generator
	rate      float64
	start     time.Time
	made      int64 // since start
}

var _ source = (*schedule)(nil)

func (s *schedule) next() (Tick, time.Time, error) {
	due := s.start.Add(time.Duration(float64(s.made) / s.rate * float64(time.Second)))
	s.made++
	return s.generator.Next(due), due, nil
}

func (s *schedule) restart(now time.Time) { s.start, s.made = now, 0 }
