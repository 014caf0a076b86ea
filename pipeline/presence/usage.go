package presence

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// samplePeriod is the shortest time over which a CPU share means anything.
const samplePeriod = time.Second

// Sampler measures what this process uses. It is safe for concurrent use, and
// callers that share one do not disturb one another.
type Sampler struct {
	process *process.Process

	mu    sync.Mutex
	last  Usage
	at    time.Time // of last; at first the start of the process
	taken bool
	busy  float64 // CPU seconds of the process at that time
}

// NewSampler looks this process up. It fails where the operating system does
// not tell.
func NewSampler() (*Sampler, error) {
	self, err := process.NewProcess(int32(os.Getpid())) //nolint:gosec // process ids fit
	if err != nil {
		return nil, fmt.Errorf("look up this process: %w", err)
	}
	born, err := self.CreateTime()
	if err != nil {
		return nil, fmt.Errorf("look up the start of this process: %w", err)
	}
	return &Sampler{process: self, at: time.UnixMilli(born)}, nil
}

// Sample returns the use now; the CPU share is over the time since the sample
// before, at first since the process started. A sample is reused for a second.
// What cannot be read keeps its last value.
func (s *Sampler) Sample() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	elapsed := now.Sub(s.at)
	if s.taken && elapsed < samplePeriod {
		return s.last
	}
	if times, err := s.process.Times(); err == nil && elapsed > 0 {
		busy := times.User + times.System
		s.last.CPUPercent = max(0, 100*(busy-s.busy)/elapsed.Seconds())
		s.busy = busy
	}
	if memory, err := s.process.MemoryInfo(); err == nil {
		s.last.MemoryBytes = memory.RSS
	}
	if percent, err := s.process.MemoryPercent(); err == nil {
		s.last.MemoryPercent = float64(percent)
	}
	heap := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:objects"}}
	metrics.Read(heap)
	if live, allocated := heap[0].Value, heap[1].Value; live.Kind() == metrics.KindUint64 && allocated.Kind() == metrics.KindUint64 {
		s.last.HeapBytes, s.last.Allocations = live.Uint64(), allocated.Uint64()
	}
	if threads, err := s.process.NumThreads(); err == nil {
		s.last.Threads = int(threads)
	}
	s.last.Goroutines = runtime.NumGoroutine()
	s.at, s.taken = now, true
	return s.last
}
