package stream_test

import (
	"testing"

	"github.com/tickstock/tickstream/pipeline/stream"
)

func TestStoredSubjects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		subject, symbol string
		is              bool
		partition       int
	}{
		{"tickstock.ticks.3.AAPL", "AAPL", true, 3},
		{"tickstock.ticks.12.BRK=2EB", "BRK.B", true, 12},
		{"tickstock.ticks.12.BRK=2EB", "BRK=2EB", false, 12},
		{"tickstock.ticks.3.AAPL", "AAP", false, 3},
		{"tickstock.ticks.3.AAPL", "AAPLX", false, 3},
		{"tickstock.ticks.3.A=2", "A.", false, 3},
		{"tickstock.ticks.3.", "", false, 3},
		{"tickstock.ticks.AAPL", "AAPL", false, -1},
		{"tickstock.ticks.x.AAPL", "AAPL", true, -1},
		{"tickstock.clock.7.mark", "mark", false, 7},
		{"tickstock.bars.1min.AAPL", "AAPL", false, -1},
		{"", "A", false, -1},
	} {
		if got := stream.IsStoredTick(c.subject, []byte(c.symbol)); got != c.is {
			t.Errorf("%s is of %q: %v", c.subject, c.symbol, got)
		}
		if got := stream.StoredPartition(c.subject); got != c.partition {
			t.Errorf("%s is of partition %d, want %d", c.subject, got, c.partition)
		}
	}
}
