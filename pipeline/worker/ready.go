package worker

import (
	"errors"
	"fmt"
)

// Ready tells why this worker does no work: nil where it holds partitions, or
// where there are more workers than partitions and none falls to it.
func (w *Worker) Ready() error {
	s := w.share.Load()
	if s == nil {
		return errors.New("the stream TICKS is not there yet, or JetStream has not answered yet")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owned) == 0 && s.quota > 0 {
		return fmt.Errorf("holds none of the %d partitions that fall to it", s.quota)
	}
	return nil
}
