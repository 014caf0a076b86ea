package trial

import (
	"fmt"
	"hash/fnv"
	"runtime"
	"time"

	"github.com/tickstock/tickstream/cmd/tickstream/bench/load"
	"github.com/tickstock/tickstream/pipeline/aggregate"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// stateMinutes is until every window of a symbol is full: 60 minutes of
// corrections and some more.
const stateMinutes = 75

// stateOf is the heap that so many symbols take, in bytes, spread over
// partitions as a worker has them.
func stateOf(symbols, partitions int) (float64, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	states := make([]*aggregate.Partition, partitions)
	for i := range states {
		var err error
		if states[i], err = aggregate.New(aggregate.Config{}, &nowhere{}); err != nil {
			return 0, fmt.Errorf("make the aggregator: %w", err)
		}
	}
	start := time.Now().Add(-24 * time.Hour).Truncate(time.Minute)
	sequence := uint64(0)
	for minute := range stateMinutes {
		at := start.Add(time.Duration(minute) * time.Minute).UnixNano()
		for i := range symbols {
			name := load.Symbol(i)
			hash := fnv.New32a()
			_, _ = hash.Write([]byte(name)) // it never fails
			sequence++
			t := tick.Tick{Symbol: []byte(name), Price: tick.Decimal(100+(minute*7+i)%50) * tick.One, Volume: tick.One, UnixNanos: at}
			states[int(hash.Sum32())%partitions].Tick(&t, sequence)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	bytes := float64(after.HeapAlloc) - float64(before.HeapAlloc)
	runtime.KeepAlive(states)
	return bytes, nil
}
