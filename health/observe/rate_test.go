package observe_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/observe"
	"github.com/tickstock/tickstream/pipeline/stream"
)

// drain stores n ticks at once, as a bridge does that held them for so long.
func (b *bed) drain(n int, held time.Duration) {
	b.Helper()
	for i := range n {
		at := float64(time.Now().Add(-held*time.Duration(n-1-i)/time.Duration(n)).UnixMicro()) / 1e6
		if _, err := b.js.PublishAsync(stream.TickSubject("AAPL"), fmt.Appendf(nil, `{"symbol":"AAPL","price":1.5,"timestamp":%.6f}`, at)); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-b.js.PublishAsyncComplete():
	case <-time.After(patience):
		b.Fatal("the backlog is not stored")
	}
}

func TestABacklogIsNotTheRate(t *testing.T) {
	const pause = 3 * time.Second
	for name, c := range map[string]struct {
		cfg     observe.Config
		measure bool // at all, before and during the pause
		while   bool // during the pause
		held    time.Duration
		n       int
		least   float64
		most    float64
	}{
		"measured all the time":        {observe.Config{RateWindow: 2 * time.Second, Interval: time.Second}, true, true, pause, 900, 150, 310},
		"measured before it and after": {observe.Config{RateWindow: 2 * time.Second, Interval: time.Second}, true, false, pause, 900, 150, 310},
		"never measured before":        {observe.Config{}, false, false, time.Minute, 1200, 15, 25},
		// What is older than the pause came now: a replay.
		"a replay": {observe.Config{RateWindow: 2 * time.Second, Interval: time.Second}, true, false, time.Hour, 900, 400, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			o := b.observer(c.cfg, "AAPL")
			if c.measure {
				began := b.tick("AAPL", 0)
				b.measure(o)
				b.eventually("a pause", func() bool {
					if c.while {
						b.measure(o)
					}
					return time.Since(began) >= pause
				})
			}
			b.drain(c.n, c.held)
			if got := b.measure(o).TicksPerSecond; got < c.least || got > c.most {
				t.Errorf("%v ticks/s, want %v to %v", got, c.least, c.most)
			}
		})
	}
}
